"""Terraform makes it all in an empty account, whatever happens on the way, and knows afterwards what it has made."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from urllib.parse import quote

import pytest

from memories.tests.aws import REGION
from memories.tests.deployed.deployment import ACCOUNT, APP, HOST, RELEASE, STATE_BUCKET, Deployment
from memories.tests.deployed.secrecy import kept, places, secrets_of
from memories.tests.deployed.terraform import Terraform

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(600)]

# A part of it, which moto lets wait long enough: queues take 25 seconds.
PART = ("-target=aws_sqs_queue.dead", "-target=aws_ecr_repository.images", "-target=aws_ssm_parameter.image_tag")


def test_a_run_that_died_leaves_a_lock_which_says_how_it_is_opened(main: Terraform) -> None:
    assert main.cut_short("Reading...", signal.SIGKILL, "plan") == -signal.SIGKILL
    refused = main.run("plan", "-no-color", *PART, statuses=(1,)).stdout
    assert "Error acquiring the state lock" in refused
    lock = re.search(r"(?m)^\s+ID:\s+(\S+)", refused)
    assert lock
    main.run("force-unlock", "-force", lock[1])
    main.run("plan", "-no-color", *PART)


def test_an_interrupted_apply_keeps_what_it_has_made(main: Terraform) -> None:
    """The fixture `deployment` then runs it again, to its end."""
    assert main.cut_short("Still creating...", signal.SIGINT, "apply", "-auto-approve", *PART) == 1
    assert {"aws_ecr_repository.images", "aws_ssm_parameter.image_tag"} <= set(main.resources())


def test_all_of_it_is_made(deployment: Deployment, say: Callable[[str], None]) -> None:
    made, seconds = deployment.terraform.resources(), deployment.terraform.seconds
    say(f"{len(made)} resources: planned in {seconds['plan']:.0f} s, applied in {seconds['apply']:.0f} s")
    assert deployment.outputs["api_url"] == f"https://{HOST}"
    assert deployment.outputs["function_url"].endswith(".lambda-url.us-east-1.on.aws")


def test_a_second_plan_changes_nothing(deployment: Deployment, bootstrap: Terraform) -> None:
    assert deployment.terraform.drift() == ""
    assert bootstrap.drift() == ""


def test_what_a_restore_switched_off_is_switched_on_by_the_next_deploy(deployment: Deployment) -> None:
    events, functions = deployment.account.client("events"), deployment.account.client("lambda")
    [mapping] = functions.list_event_source_mappings()["EventSourceMappings"]
    events.disable_rule(Name=f"{APP}-minute")
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        drift = deployment.terraform.drift()
    finally:
        events.enable_rule(Name=f"{APP}-minute")
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    assert re.search(r'state += "DISABLED" -> "ENABLED"', drift)
    assert re.search(r"enabled += false -> true", drift)


def test_the_bootstrap_says_what_the_repository_has_to_know(bootstrap: Terraform) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/{APP}-github"
    assert bootstrap.outputs() == {
        "state_bucket": STATE_BUCKET,
        "build_role_arn": f"{role}-build",
        "deploy_role_arn": f"{role}-deploy",
        "boundary_arn": f"arn:aws:iam::{ACCOUNT}:policy/{APP}-boundary",
        "region": REGION,
    }


@pytest.mark.parametrize("name", ["db_password", "django_secret_key", "openai_api_key"])
def test_a_secret_is_in_its_parameter_and_nowhere_else(deployment: Deployment, name: str) -> None:
    secret = secrets_of(deployment)[name]
    assert [place for place, text in places(deployment) if secret in text] == []
    parameters = kept(deployment)
    assert {parameter["Type"] for parameter in parameters.values()} == {"SecureString"}
    assert sum(secret in parameter["Value"] for parameter in parameters.values()) == 1


def test_the_secrets_have_the_names_that_the_service_reads(deployment: Deployment) -> None:
    secrets = secrets_of(deployment)
    values = {name: parameter["Value"] for name, parameter in kept(deployment).items()}
    password, address = quote(secrets["db_password"], safe=""), deployment.outputs["database_address"]
    assert values["DJANGO_SECRET_KEY"] == secrets["django_secret_key"]
    assert values["OPENAI_API_KEY"] == secrets["openai_api_key"]
    assert values["DATABASE_URL"].startswith(f"postgres://memories:{password}@{address}:5432/")


def test_each_minute_the_live_clock_is_called(deployment: Deployment) -> None:
    events = deployment.account.client("events")
    [rule] = events.list_rules(NamePrefix=APP)["Rules"]
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")
    [target] = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"].endswith(f":function:{APP}-clock:live")
    assert "Input" not in target  # the event that the handler knows


def test_the_queue_calls_the_worker_message_by_message(deployment: Deployment) -> None:
    [mapping] = deployment.account.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert mapping["EventSourceArn"].endswith(f":{APP}")
    assert mapping["FunctionArn"].partition(":function:")[2].startswith(f"{APP}-worker")
    assert (mapping["BatchSize"], mapping["FunctionResponseTypes"]) == (1, ["ReportBatchItemFailures"])


def test_what_is_first_deployed_is_the_release_that_was_named(deployment: Deployment) -> None:
    client = deployment.account.client("ssm")
    live = client.get_parameter(Name=deployment.outputs["release_parameter_name"])["Parameter"]["Value"]
    assert live == RELEASE
