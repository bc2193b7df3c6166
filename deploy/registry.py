"""Are the images of a release there, and such as Lambda takes?"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from deploy.console import DeployError

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


def digests(ecr: Any, repository_url: str, tag: str) -> dict[str, str]:
    """The digest, `sha256:…`, of api-TAG and lambda-TAG. DeployError names one that is missing, or is not one image."""
    repository = repository_url.partition("/")[2]
    return {kind: _digest(ecr, repository, f"{kind}-{tag}") for kind in ("api", "lambda")}


def _digest(ecr: Any, repository: str, name: str) -> str:
    try:
        found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": name}])["imageDetails"][0]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "RepositoryNotFoundException":
            raise DeployError(f"There is no repository {repository}.", "script/deploy-bootstrap.") from None
        if code == "ImageNotFoundException":
            raise DeployError(
                f"There is no image {name} in {repository}.",
                "let the workflow build and push this commit, or run script/images build and script/images push; "
                "only the last five of each kind are kept.",
            ) from None
        raise
    if name.startswith("lambda-") and found.get("imageManifestMediaType") in INDEXES:
        raise DeployError(
            f"{name} is an index of several images, which Lambda does not take.",
            "build for one architecture, and with --provenance=false.",
        )
    return str(found["imageDigest"])
