"""Makes the bucket and the two queues that the environment names, at AWS_ENDPOINT_URL: for compose.yaml's moto only.

What AWS itself gets is made by Terraform; here only what the service cannot do without. May be run again.
"""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from botocore.config import Config

RECEIVES = "3"  # before a message goes to the dead-letter queue
VISIBILITY = "300"  # seconds


def client(service: str) -> Any:
    patient = Config(retries={"mode": "standard", "total_max_attempts": 10})  # moto may just be starting
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=patient)


def make_queue(sqs: Any, variable: str, **attributes: str) -> str:
    """The ARN of the queue at the address in this variable."""
    url = os.environ[variable]
    made = sqs.create_queue(QueueName=url.rpartition("/")[2], Attributes=attributes)["QueueUrl"]
    if made != url:
        raise SystemExit(f"{variable} is {url}, and the queue is at {made}.")
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def main() -> None:
    bucket = os.environ["AWS_STORAGE_BUCKET_NAME"]
    s3 = client("s3")
    if bucket not in {found["Name"] for found in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=bucket)
    sqs = client("sqs")
    dead = make_queue(sqs, "SQS_DLQ_URL")
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": RECEIVES})
    make_queue(sqs, "SQS_QUEUE_URL", VisibilityTimeout=VISIBILITY, RedrivePolicy=redrive)


if __name__ == "__main__":
    main()
