"""The tables, and the state machine that every memory goes through.

      capture            claim                 transcript saved          analysis saved
     ─────────► QUEUED ─────────► TRANSCRIBING ────────────────► ANALYZING ──────────────► READY
                  ▲                │         │ nobody spoke          │ analysis not to be had
                  │                │         └────► NO_SPEECH        └────► TRANSCRIBED
       retry, requeue, reprocess   │ permanent, or attempts spent
                  └──── FAILED ◄───┘

The row is the job. Whoever works on a memory holds its lease (memories/leases.py); TRANSITIONS says which moves exist,
and `MemoryQuerySet.move` is the only way to make one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from datetime import timezone as tz
from pathlib import PurePath
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from knox.models import AbstractAuthToken

from memories import errors
from memories.types import Segment, TranscriptResult


class Status(models.TextChoices):
    QUEUED = "QUEUED"
    TRANSCRIBING = "TRANSCRIBING"
    ANALYZING = "ANALYZING"
    READY = "READY"
    NO_SPEECH = "NO_SPEECH"
    TRANSCRIBED = "TRANSCRIBED"
    FAILED = "FAILED"


class Stage(models.TextChoices):
    """What is to be done next, or what is being done."""

    TRANSCRIPTION = "transcription"
    ANALYSIS = "analysis"


TRANSITIONS: dict[Status, frozenset[Status]] = {
    # A queued memory can end without a claim: its attempts are spent, or its message died in the queue.
    Status.QUEUED: frozenset({Status.QUEUED, Status.TRANSCRIBING, Status.ANALYZING, Status.FAILED, Status.TRANSCRIBED}),
    # To itself: another worker takes over a lease that ran out.
    Status.TRANSCRIBING: frozenset(
        {Status.TRANSCRIBING, Status.QUEUED, Status.ANALYZING, Status.NO_SPEECH, Status.FAILED}
    ),
    Status.ANALYZING: frozenset({Status.ANALYZING, Status.QUEUED, Status.READY, Status.TRANSCRIBED}),
    Status.READY: frozenset({Status.QUEUED}),
    Status.NO_SPEECH: frozenset({Status.QUEUED}),
    Status.TRANSCRIBED: frozenset({Status.QUEUED}),
    Status.FAILED: frozenset({Status.QUEUED}),
}

RUNNING = frozenset({Status.TRANSCRIBING, Status.ANALYZING})
UNFINISHED = RUNNING | {Status.QUEUED}
FINISHED = frozenset(Status) - UNFINISHED
DONE = FINISHED - {Status.FAILED}
WORKING: dict[Stage, Status] = {Stage.TRANSCRIPTION: Status.TRANSCRIBING, Stage.ANALYSIS: Status.ANALYZING}
GIVEN_UP: dict[Stage, Status] = {Stage.TRANSCRIPTION: Status.FAILED, Stage.ANALYSIS: Status.TRANSCRIBED}


def audio_key(memory: Memory, filename: str) -> str:
    """Where the audio lies: dated, so that a sweep need not list everything; no personal data in it."""
    return f"audio/{memory.created_at:%Y/%m/%d}/{memory.pk}{PurePath(filename).suffix}"


class MemoryQuerySet(models.QuerySet["Memory"]):
    def move(self, to: Status, **fields: Any) -> int:
        """Move the rows of this set that may go there, and say how many went."""
        sources = [source for source, targets in TRANSITIONS.items() if to in targets]
        return self.filter(status__in=sources).touch(status=to, **fields)

    def touch(self, **fields: Any) -> int:
        """An UPDATE that readers can see: it makes a new version, and so a new ETag."""
        return self.update(version=F("version") + 1, updated_at=timezone.now(), **fields)

    def lease_expired(self, now: datetime) -> MemoryQuerySet:
        return self.filter(status__in=RUNNING, lease_expires_at__lte=now)

    def due(self, now: datetime) -> MemoryQuerySet:
        """What a worker could claim at this moment."""
        waiting = Q(status=Status.QUEUED) & (Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now))
        abandoned = Q(status__in=RUNNING, lease_expires_at__lte=now)
        return self.filter(waiting | abandoned)


class Memory(models.Model):
    """A recording and what was made of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memories")
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Goes up with each visible change.")
    edition = models.PositiveIntegerField(
        default=1, editable=False, help_text="Goes up with each change of what can be edited."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    recorded_at = models.DateTimeField(default=timezone.now)
    recorded_offset = models.SmallIntegerField(
        default=0, editable=False, help_text="Minutes east of UTC where it was recorded: its day begins with them."
    )

    # The job.
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    stage = models.CharField(max_length=16, choices=Stage.choices, default=Stage.TRANSCRIPTION)
    progress = models.PositiveSmallIntegerField(default=0, help_text="Percent of the stage at work.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Attempts at this stage so far.")
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    enqueued_at = models.DateTimeField(null=True, blank=True, help_text="When the queue was last rung for it.")
    hidden_until = models.DateTimeField(null=True, blank=True, help_text="The table queue's visibility time-out.")
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    error_code = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True)

    # The recording.
    audio = models.FileField(upload_to=audio_key, max_length=200, blank=True)
    audio_filename = models.CharField(max_length=255, blank=True, help_text="As the client named it, made harmless.")
    audio_content_type = models.CharField(max_length=100, blank=True)
    audio_size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    audio_sha256 = models.CharField(max_length=64, blank=True)
    audio_damage = models.TextField(blank=True, help_text="What could not be read of it.")
    duration_seconds = models.FloatField(null=True, blank=True)
    language = models.CharField(max_length=8, blank=True, help_text="ISO 639-1, as the person says it is.")
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 (null: not unique)
    idempotency_digest = models.CharField(max_length=64, blank=True)

    # What was made of it.
    title = models.CharField(max_length=200, blank=True)
    summary = models.TextField(blank=True)
    mood = models.JSONField(null=True, blank=True)
    action_items = models.JSONField(default=list, blank=True)
    tags: models.ManyToManyField[Tag, Tagging] = models.ManyToManyField(
        "Tag", through="Tagging", related_name="memories"
    )
    analysis_model = models.CharField(max_length=100, blank=True)
    findings_dropped = models.PositiveIntegerField(default=0, help_text="Findings without evidence in the words.")
    edited_fields = models.JSONField(default=list, blank=True, help_text="What a person changed: never overwritten.")

    objects = MemoryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "memories"
        ordering = ["-recorded_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="one_memory_per_idempotency_key"),
        ]
        indexes = [
            models.Index(fields=["owner", "-recorded_at", "-id"], name="memory_timeline"),
            models.Index(fields=["owner", "created_at"], name="memory_quota"),
            models.Index(
                fields=["next_attempt_at", "created_at"], name="memory_due", condition=~Q(status__in=sorted(FINISHED))
            ),
        ]
        permissions = [("view_content", "Can see the words and hear the sound of people's memories")]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def audio_expires_at(self) -> datetime:
        expires: datetime = self.created_at + timedelta(days=settings.AUDIO_RETENTION_DAYS)
        return expires

    @property
    def etag(self) -> str:
        return f'"{self.pk}.{self.version}.{self.edition}"'

    @property
    def recorded_locally(self) -> datetime:
        """When it was recorded, by the clock of that place."""
        return self.recorded_at.astimezone(tz(timedelta(minutes=self.recorded_offset)))

    @property
    def percent(self) -> int:
        """Of the stage at work; all of it once there is nothing more to come."""
        return 100 if self.status in DONE else self.progress

    @property
    def status_detail(self) -> str:
        """One sentence for people on where it stands."""
        if self.status == Status.QUEUED and self.error_code:
            return f"Waiting for another attempt at {self.stage}: {self.error_detail}"
        if self.status == Status.FAILED:
            return self.error_detail
        return DETAILS[Status(self.status)]

    @property
    def next_step(self) -> str:
        return errors.next_step(self.error_code) if self.error_code else ""

    def edited(self, field: str) -> bool:
        return field in self.edited_fields


DETAILS: dict[Status, str] = {
    Status.QUEUED: "Waiting for a worker.",
    Status.TRANSCRIBING: "The recording is being transcribed.",
    Status.ANALYZING: "The transcript is being analyzed.",
    Status.READY: "Done.",
    Status.NO_SPEECH: "Nobody speaks in this recording.",
    Status.TRANSCRIBED: "The transcript is here; the analysis could not be had.",
    Status.FAILED: "It could not be processed.",
}


class Transcript(models.Model):
    """What was said in a memory. `segments` is a list of {id, text, start, end, speaker, confidence}."""

    memory = models.OneToOneField(Memory, on_delete=models.CASCADE, primary_key=True, related_name="transcript")
    text = models.TextField()
    language = models.CharField(max_length=8, blank=True)
    segments = models.JSONField(default=list)
    model = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"transcript of {self.pk}"

    def as_result(self) -> TranscriptResult:
        segments = tuple(Segment(**segment) for segment in self.segments)
        return TranscriptResult(self.text, self.language or None, segments, self.model)


class Chunk(models.Model):
    """A checkpoint: one piece of a recording, transcribed, until the whole transcript is saved."""

    memory = models.ForeignKey(Memory, on_delete=models.CASCADE, related_name="chunks")
    start = models.FloatField(help_text="Seconds from the beginning of the recording.")
    end = models.FloatField()
    result = models.JSONField(help_text="A TranscriptResult; its times count from the beginning of the recording.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["memory", "start", "end"], name="one_chunk_per_cut")]

    def __str__(self) -> str:
        return f"{self.start:.1f}-{self.end:.1f} s of {self.memory_id}"


class Tag(models.Model):
    """A word that memories can be found by: a tag proper, a person or a place."""

    class Kind(models.TextChoices):
        TAG = "tag"
        PERSON = "person"
        PLACE = "place"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=100)
    folded = models.CharField(max_length=100, editable=False, help_text="The name, for comparing.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "kind", "folded"], name="one_tag_per_name")]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def fold(name: str) -> str:
        return " ".join(name.split()).casefold()[:100]


class Tagging(models.Model):
    """A tag on a memory. `evidence` is {segment_ids, quote}; None where a person set the tag."""

    memory = models.ForeignKey(Memory, on_delete=models.CASCADE, related_name="taggings")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="taggings")
    evidence = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["memory", "tag"], name="one_tagging_per_tag")]

    def __str__(self) -> str:
        return f"{self.tag_id} on {self.memory_id}"


class Attempt(models.Model):
    """One run at one stage of one memory, and what it took."""

    class Outcome(models.TextChoices):
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        RETRIED = "retried"  # failed for now
        FAILED = "failed"  # failed for good
        HANDED_BACK = "handed_back"  # the worker was asked to stop: costs no attempt
        POSTPONED = "postponed"  # paid work is stopped, or the budget spent: costs no attempt
        LOST = "lost"  # the worker was not heard of until its lease ran out

    memory = models.ForeignKey(Memory, on_delete=models.CASCADE, related_name="attempt_log")
    stage = models.CharField(max_length=16, choices=Stage.choices)
    number = models.PositiveSmallIntegerField()
    worker = models.CharField(max_length=100)
    lease_token = models.UUIDField(editable=False)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome.choices, default=Outcome.RUNNING)
    error_code = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True)
    model = models.CharField(max_length=100, blank=True)
    audio_seconds = models.FloatField(null=True, blank=True)
    input_tokens = models.PositiveIntegerField(null=True, blank=True)
    output_tokens = models.PositiveIntegerField(null=True, blank=True)
    cost_usd = models.DecimalField(max_digits=10, decimal_places=6, null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"attempt {self.number} at {self.stage} of {self.memory_id}"

    @property
    def seconds(self) -> float | None:
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None


class Breaker(models.Model):
    """Paid work at one stage, stopped for everybody: there is a row while it is."""

    stage = models.CharField(max_length=16, choices=Stage.choices, primary_key=True)
    code = models.CharField(max_length=40)
    detail = models.TextField(blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    probe_at = models.DateTimeField(help_text="When one memory tries again for all.")

    def __str__(self) -> str:
        return f"{self.stage}: {self.code}"

    @property
    def next_step(self) -> str:
        return errors.next_step(self.code)


class DailySpending(models.Model):
    """What a day (UTC) cost so far, calls under way included by their estimate; of one person, or (no owner) of all."""

    day = models.DateField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+")
    usd = models.DecimalField(max_digits=12, decimal_places=6, default=0)

    class Meta:
        verbose_name_plural = "daily spending"
        constraints = [
            models.UniqueConstraint(fields=["day", "owner"], name="one_spending_per_day_and_person"),
            models.UniqueConstraint(fields=["day"], condition=Q(owner__isnull=True), name="one_spending_per_day"),
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.usd} USD"


class Upload(models.Model):
    """A recording that a client has announced, and sends straight to the storage; then it becomes a memory."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    filename = models.CharField(max_length=255, blank=True)
    content_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField(help_text="Bytes, as announced.")
    sha256 = models.CharField(max_length=64, help_text="Of the whole file, as announced.")
    key = models.CharField(max_length=200, help_text="Where the storage puts it.")
    part_size = models.PositiveBigIntegerField(help_text="Bytes of each part but the last.")
    multipart_id = models.CharField(max_length=1024, blank=True, help_text="S3's name for an upload in parts.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    memory = models.OneToOneField(Memory, on_delete=models.CASCADE, null=True, blank=True, related_name="upload")

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="upload_expiry", condition=Q(memory__isnull=True))]

    def __str__(self) -> str:
        return str(self.pk)


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    def unresolved(self) -> DeadLetterQuerySet:
        return self.filter(resolved_at__isnull=True)

    def resolve(self, resolution: str) -> int:
        return self.unresolved().update(resolved_at=timezone.now(), resolution=resolution)


class DeadLetter(models.Model):
    """A memory that was given up on, or a message that could not be delivered: somebody must look at it."""

    class Resolution(models.TextChoices):
        REQUEUED = "requeued"
        REPROCESSED = "reprocessed"
        DISMISSED = "dismissed"  # somebody looked: there is nothing to try again

    memory = models.ForeignKey(Memory, on_delete=models.CASCADE, null=True, blank=True, related_name="dead_letters")
    stage = models.CharField(max_length=16, choices=Stage.choices, blank=True)
    code = models.CharField(max_length=40)
    detail = models.TextField(blank=True)
    body = models.TextField(blank=True, help_text="The message, verbatim, where it came from the queue.")
    created_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=16, choices=Resolution.choices, blank=True)

    objects = DeadLetterQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes: ClassVar = [models.Index(fields=["resolved_at", "-created_at"], name="dead_letter_open")]

    def __str__(self) -> str:
        return f"{self.code} ({self.memory_id or 'no memory'})"

    @property
    def next_step(self) -> str:
        return errors.next_step(self.code)


class SearchDocument(models.Model):
    """What a memory can be found by: each word once, folded and stemmed (memories/search.py)."""

    memory = models.OneToOneField(Memory, on_delete=models.CASCADE, related_name="search_document")
    terms = models.TextField()

    def __str__(self) -> str:
        return f"words of {self.memory_id}"


class DeviceToken(AbstractAuthToken):  # type: ignore[misc]  # knox has no types
    """A bearer token of one device; only its hash is stored."""

    device = models.CharField(max_length=100, blank=True)


def segments_as_json(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    return [{name: getattr(segment, name) for name in Segment.__dataclass_fields__} for segment in segments]
