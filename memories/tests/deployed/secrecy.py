"""Every place where a secret could have got to, as text."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from memories.tests.deployed.deployment import APP, STATE_BUCKET, Deployment


def secrets_of(deployment: Deployment) -> dict[str, str]:
    return {name: deployment.terraform.env[f"TF_VAR_{name}"] for name in SECRET_VARIABLES}


SECRET_VARIABLES = ("db_password", "django_secret_key", "openai_api_key")


def places(deployment: Deployment) -> Iterator[tuple[str, str]]:
    yield "what Terraform printed", deployment.terraform.said
    yield "the outputs", json.dumps(deployment.outputs)
    yield from of_plan(deployment)
    yield from of_state(deployment)
    yield from of_files(deployment)
    yield from of_account(deployment)


def of_plan(deployment: Deployment) -> Iterator[tuple[str, str]]:
    terraform = deployment.terraform
    yield "the saved plan, shown", terraform.run("show", "-json", "saved.plan").stdout
    with zipfile.ZipFile(terraform.folder / "saved.plan") as plan:
        for name in plan.namelist():
            yield f"the saved plan, {name}", plan.read(name).decode("latin-1")


def of_state(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Every version that the bucket keeps."""
    s3 = deployment.account.client("s3")
    for version in s3.list_object_versions(Bucket=STATE_BUCKET)["Versions"]:
        body = s3.get_object(Bucket=STATE_BUCKET, Key=version["Key"], VersionId=version["VersionId"])["Body"].read()
        yield f"{version['Key']}, version {version['VersionId']}", body.decode()


def of_files(deployment: Deployment) -> Iterator[tuple[str, str]]:
    for path in deployment.terraform.folder.rglob("*"):
        if path.is_file() and "providers" not in path.parts:
            yield str(path.relative_to(deployment.terraform.folder)), path.read_text("latin-1")


def of_account(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """What AWS shows to whoever may look, but not read the parameters."""
    account = deployment.account
    for function in account.client("lambda").list_functions()["Functions"]:
        yield function["FunctionName"], json.dumps(function, default=str)
    ec2 = account.client("ec2")
    instance = deployment.outputs["instance_id"]
    data = ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")["UserData"]["Value"]
    yield "user data", base64.b64decode(data).decode("latin-1")
    yield "the instance", json.dumps(ec2.describe_instances(InstanceIds=[instance]), default=str)
    ssm = account.client("ssm")
    yield "the document", ssm.get_document(Name=deployment.outputs["roll_document_name"])["Content"]
    for name in (f"/{APP}/api/environment", deployment.outputs["release_parameter_name"]):
        yield name, ssm.get_parameter(Name=name)["Parameter"]["Value"]
    yield "the database", json.dumps(account.client("rds").describe_db_instances(), default=str)


def kept(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """The parameters where the secrets are, by name."""
    found = deployment.account.client("ssm").get_parameters_by_path(
        Path=deployment.outputs["secrets_path"], WithDecryption=True
    )
    return {parameter["Name"].rpartition("/")[2]: parameter for parameter in found["Parameters"]}
