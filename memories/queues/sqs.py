"""SQS as the queue. A message is a doorbell: losing or doubling one loses or doubles nothing (docs/decisions/0001)."""

from __future__ import annotations

import json
import logging
import math
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from memories.errors import DeliveryFailed, QueueUnavailable
from memories.queues.base import DeadMessage, Message, Queue

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
LONGEST_BODY = 256  # characters; ours have 63
LONGEST_POLL, SHORTEST_POLL = 20, 0.5  # seconds that SQS holds a receive
LONGEST_DELAY = 900  # seconds that SQS holds a message back
DEAD_BATCH = 10  # messages that one receive brings
DEAD_VISIBILITY = 120  # seconds in which such a batch is recorded
STALE = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue"})  # what SQS says of a receipt that has expired
DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
WAITING = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]

logger = logging.getLogger(__name__)


def body_for(memory_id: uuid.UUID) -> str:
    return json.dumps({"memory_id": str(memory_id), "v": VERSION})


def memory_id_in(body: str) -> uuid.UUID | None:
    """Whom a body rings for; None: it is malformed, or of a version that we do not know."""
    if len(body) > LONGEST_BODY:
        return None
    try:
        ring = json.loads(body)
        if type(ring["v"]) is not int or ring["v"] != VERSION:
            return None
        return uuid.UUID(ring["memory_id"])
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def dead_message(body: str, receipt: Any = None) -> DeadMessage:
    """A message of the dead-letter queue, its body in a form that every database stores."""
    memory_id = memory_id_in(body)
    reason = DeliveryFailed.detail if memory_id else "The queue holds a message that is not one of ours."
    storable = body.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return DeadMessage(storable, memory_id, reason, receipt)


@dataclass(slots=True)
class Receipt:
    """What SQS needs to know which delivery is meant, and what we know of it."""

    handle: str
    hidden_at: float  # by time.monotonic()
    settled: bool = False  # acknowledged or released: nothing more is done with it


class SQSQueue(Queue):
    """Standard queues. `dlq_url` gets what was received three times in vain (the queue's redrive policy).

    `visibility` (seconds) hides a delivery from others; AWS wants six times a function's time-out. It may be long: a
    memory whose worker died is rung for anew by the sweep, as soon as its lease has run out.
    """

    def __init__(
        self,
        url: str,
        dlq_url: str = "",
        region: str = "us-east-1",
        endpoint_url: str | None = None,
        visibility: float = 1800,
    ) -> None:
        for address in filter(None, (url, dlq_url)):
            if not address.startswith(("https://", "http://")):
                raise ValueError(
                    f"{address!r} is not the address of a queue, such as https://sqs.us-east-1.amazonaws.com/…"
                )
        self.url = url
        self.dlq_url = dlq_url
        self.region = region
        self.endpoint_url = endpoint_url
        self.visibility = visibility

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(connect_timeout=3, read_timeout=LONGEST_POLL + 5, retries={"total_max_attempts": 2})
        # A session of our own: boto3's default one must not be used by several threads at the same time.
        return boto3.session.Session().client(
            "sqs", region_name=self.region, endpoint_url=self.endpoint_url, config=config
        )

    def enqueue(self, memory_id: uuid.UUID, delay: float = 0) -> None:
        """A longer delay than SQS knows is cut: the row says when it is due, and a claim before that is refused."""
        seconds = min(LONGEST_DELAY, math.ceil(delay))
        self._call("send_message", QueueUrl=self.url, MessageBody=body_for(memory_id), DelaySeconds=seconds)

    def receive(self, wait: float = 0) -> Message | None:
        deadline = time.monotonic() + wait
        while raw := self._next(deadline):
            if message := self._readable(raw):
                return message
        return None

    def _next(self, deadline: float) -> dict[str, Any] | None:
        """SQS waits for whole seconds, and not for longer than LONGEST_POLL: one poll after the other."""
        left = deadline - time.monotonic()
        while not (batch := self._receive(self.url, wait=left, hide=self.visibility)):
            if (left := deadline - time.monotonic()) < SHORTEST_POLL:
                return None
        return batch[0]

    def _receive(self, url: str, *, wait: float, hide: float, most: int = 1) -> list[dict[str, Any]]:
        answer = self._call(
            "receive_message",
            QueueUrl=url,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=max(0, min(LONGEST_POLL, round(wait))),
            VisibilityTimeout=math.ceil(hide),
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def _readable(self, raw: Mapping[str, Any]) -> Message | None:
        """What cannot be read is neither deleted nor returned: after its last receive SQS moves it to the dead ones."""
        memory_id = memory_id_in(raw["Body"])
        count = int(raw["Attributes"]["ApproximateReceiveCount"])
        if memory_id:
            return Message(memory_id, Receipt(raw["ReceiptHandle"], hidden_at=time.monotonic()), count)
        if count == 1:
            logger.warning("Message %s is not one of ours: left to the dead-letter queue.", raw["MessageId"])
        return None

    def keep(self, message: Message) -> None:
        """Fails nobody: at worst the message is delivered to another worker, whose claim is refused."""
        receipt: Receipt = message.receipt
        if time.monotonic() - receipt.hidden_at < self.visibility / 3:
            return
        receipt.hidden_at = time.monotonic()
        try:
            self._call(
                "change_message_visibility",
                QueueUrl=self.url,
                ReceiptHandle=receipt.handle,
                VisibilityTimeout=math.ceil(self.visibility),
            )
        except QueueUnavailable as error:
            logger.warning("The message of %s could not be kept: %s", message.memory_id, error.detail)

    def ack(self, message: Message) -> None:
        receipt: Receipt = message.receipt
        self._delete(self.url, receipt.handle)
        receipt.settled = True

    def release(self, message: Message, delay: float = 0) -> None:
        """A new message first, then the old one is deleted: a death in between doubles the ring, and loses nothing.

        Making the old one visible again would count as another receive. So the third release would look like the third
        crash, and a memory that only waits would end among the dead.
        """
        receipt: Receipt = message.receipt
        if receipt.settled:
            return
        self.enqueue(message.memory_id, delay)
        self.ack(message)

    def dead_letters(self) -> Iterator[DeadMessage]:
        while self.dlq_url and (batch := self._receive(self.dlq_url, wait=0, hide=DEAD_VISIBILITY, most=DEAD_BATCH)):
            for raw in batch:
                yield dead_message(raw["Body"], raw["ReceiptHandle"])

    def discard(self, dead: DeadMessage) -> None:
        self._delete(self.dlq_url, dead.receipt)

    def depth(self) -> int:
        answer = self._call("get_queue_attributes", QueueUrl=self.url, AttributeNames=WAITING)
        return sum(int(answer["Attributes"][name]) for name in WAITING)

    def reach(self) -> None:
        """An API that may only send is refused this, by an SQS that it has reached."""
        self._call("get_queue_attributes", tolerate=DENIED, QueueUrl=self.url, AttributeNames=WAITING)

    def _delete(self, url: str, handle: str) -> None:
        self._call("delete_message", tolerate=STALE, QueueUrl=url, ReceiptHandle=handle)

    def _call(self, operation: str, *, tolerate: frozenset[str] = frozenset(), **arguments: Any) -> dict[str, Any]:
        """One request to SQS; QueueUnavailable names what went wrong, unless it is an error code to `tolerate`."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            if code in tolerate:
                return {}
            raise QueueUnavailable(f"{QueueUnavailable.detail} SQS said {code}.") from error
        except (BotoCoreError, ResponseParserError) as error:
            raise QueueUnavailable(f"{QueueUnavailable.detail} ({type(error).__name__})") from error
        return answer
