"""What AWS sends to a function, and its poller between a queue and a function."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memories.tests.aws import REGION
from memories.tests.lambda_runtime import Function, FunctionError

SCHEDULED = {
    "version": "0",
    "id": "cdc73f9d-aea9-11e3-9d5a-835b769c0d9c",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-11-24T15:00:00Z",
    "region": REGION,
    "resources": [f"arn:aws:events:{REGION}:123456789012:rule/sweep"],
    "detail": {},
}


def sqs_record(queue_url: str, body: str, *, receipt: str = "receipt", receives: str = "1") -> dict[str, Any]:
    return {
        "messageId": str(uuid.uuid4()),
        "receiptHandle": receipt,
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": receives,
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "098f6bcd4621d373cade4e832627b4f6",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{queue_url.rpartition('/')[2]}",
        "awsRegion": REGION,
    }


def sqs_event(queue_url: str, *bodies: str) -> dict[str, Any]:
    return {"Records": [sqs_record(queue_url, body) for body in bodies]}


def failures(event: dict[str, Any], answer: dict[str, Any]) -> list[str]:
    """The bodies of the messages that a handler did not deal with."""
    failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
    return [record["body"] for record in event["Records"] if record["messageId"] in failed]


def http_event(
    method: str, path: str, *, query: str = "", headers: dict[str, str] | None = None, body: bytes = b""
) -> dict[str, Any]:
    """A request to a Function URL, or to API Gateway's payload format 2.0, which is the same."""
    host = "abc.lambda-url.us-east-1.on.aws"
    sent = {"host": host, "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.7", "x-forwarded-port": "443"}
    if body:
        sent["content-length"] = str(len(body))
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": sent | (headers or {}),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": host,
            "domainPrefix": "abc",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "test",
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": "24/Nov/2026:15:00:00 +0000",
            "timeEpoch": 1795532400000,
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


@dataclass
class EventSource:
    """The event source mapping: takes messages from a queue to a function, and deletes those that it dealt with."""

    sqs: Any
    url: str
    function: Function

    def pump(self, *, most: int = 1, wait: int = 0, copies: int = 1) -> int:
        """One batch, given to the function `copies` times; how many messages came. A function that fails keeps all."""
        answer = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=most, WaitTimeSeconds=wait, AttributeNames=["All"]
        )
        messages: Sequence[dict[str, Any]] = answer.get("Messages", [])
        for _ in range(copies if messages else 0):
            self._hand_over(messages)
        return len(messages)

    def _hand_over(self, messages: Sequence[dict[str, Any]]) -> None:
        records = [
            sqs_record(
                self.url,
                message["Body"],
                receipt=message["ReceiptHandle"],
                receives=message["Attributes"]["ApproximateReceiveCount"],
            )
            for message in messages
        ]
        try:
            answer = self.function.invoke({"Records": records})
        except FunctionError:
            return
        failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        for record in records:
            if record["messageId"] not in failed:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=record["receiptHandle"])
