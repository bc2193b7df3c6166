"""The two buckets: that of Terraform's state, which must be there first, and that of the audio, which must be empty
last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from deploy.console import DeployError


def ensure(s3: Any, name: str, region: str) -> bool:
    """Whether it had to be made. Private and versioned from its first moment; Terraform looks after it from then on."""
    if exists(s3, name):
        return False
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **place)
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True))
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return True


def exists(s3: Any, name: str) -> bool:
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "404":
            return False
        if code == "403":
            raise DeployError(
                f"The bucket {name} is somebody else's.", "choose another name: --state-bucket."
            ) from None
        raise
    return True


def count(s3: Any, name: str) -> int:
    return sum(1 for _ in _objects(s3, name))


def empty(s3: Any, name: str) -> int:
    """Deletes every object in every version: how many these were. Unfinished uploads go with the bucket."""
    found = list(_objects(s3, name))
    for start in range(0, len(found), 1000):  # the most that S3 takes at once
        answer = s3.delete_objects(Bucket=name, Delete={"Objects": found[start : start + 1000], "Quiet": True})
        if errors := answer.get("Errors"):
            raise DeployError(f"{name}: {errors[0]['Key']} cannot be deleted: {errors[0]['Message']}")
    return len(found)


def _objects(s3: Any, name: str) -> Iterator[dict[str, str]]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for kind in ("Versions", "DeleteMarkers"):
            for version in page.get(kind, []):
                yield {"Key": version["Key"], "VersionId": version["VersionId"]}
