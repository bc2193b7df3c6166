"""Everything that can go wrong and that somebody is told about.

One tree. Each class says by itself whether trying again can help (`permanent`), under which stable `code` clients
and staff see it, and what they can do next (`next_step`). Which HTTP status it gets is the API's affair.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from memories.types import Usage


class MemoriesError(Exception):
    """The root. `detail` is for people and never holds what was said in a recording."""

    code: ClassVar[str] = "internal_error"
    permanent: ClassVar[bool] = False
    detail: str = "Something went wrong on our side."
    next_step: ClassVar[str] = "Try again later; if it stays, tell the people who run this service."

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after: float | None = None,
        billed: bool = True,
        usage: Usage | None = None,
    ) -> None:
        self.detail = detail or type(self).detail
        self.retry_after = retry_after  # seconds; None: the caller decides
        self.billed = billed  # False: the call that failed cost nothing for certain
        self.usage = usage  # what it consumed, where the provider said so
        super().__init__(self.detail)


# --- a recording that cannot be accepted or used -------------------------------------------------------------------


class AudioError(MemoriesError):
    """The recording itself is the trouble: no second try will change it."""

    permanent = True


class EmptyUpload(AudioError):
    code = "empty_upload"
    detail = "The file is empty."
    next_step = "Send the recording again; if it is empty on the device too, it was not recorded."


class NotAudio(AudioError):
    code = "not_audio"
    detail = "The file is not a recording in a format that we know."
    next_step = "Send audio as m4a, mp3, wav, flac, ogg, webm, aac, amr, 3gp, caf, aiff, or an mp4 with sound."


class NoSound(AudioError):
    code = "no_sound"
    detail = "The file is a recording in form, but holds no sound."
    next_step = "Check that the microphone was on, or that the video has a sound track."


class TooLong(AudioError):
    code = "audio_too_long"
    detail = "The recording is longer than this service takes."
    next_step = "Cut the recording into shorter parts and send them one by one."


class TooLarge(AudioError):
    code = "upload_too_large"
    detail = "The file is larger than this service takes."
    next_step = "Send a compressed format such as m4a or ogg, or cut the recording into parts."


class TooCostly(AudioError):
    code = "audio_too_costly"
    detail = "The file takes far more work to decode than a recording of its length should."
    next_step = "Export the recording again as m4a, mp3 or wav, and send that."


class AudioMissing(AudioError):
    code = "audio_missing"
    detail = "The audio of this memory is not in the storage."
    next_step = "If you still have the recording, send it again; the text that was made of it stays."


class AudioExpired(AudioError):
    code = "audio_expired"
    detail = "The audio was deleted at the end of its retention period; the text stays."
    next_step = "Reprocess from analysis, which needs the text only."


# --- a request that cannot be carried out --------------------------------------------------------------------------


class RequestError(MemoriesError):
    permanent = True


class BadCredentials(RequestError):
    code = "bad_credentials"
    detail = "There is no user of this name with this password."
    next_step = "Check the user name and the password."


class BodyTooLarge(RequestError):
    code = "body_too_large"
    detail = "The request is larger than this call takes."
    next_step = "Send less at a time."


class LengthRequired(RequestError):
    code = "length_required"
    detail = "The request does not say how long it is."
    next_step = "Send a Content-Length instead of Transfer-Encoding: chunked."


class IdempotencyConflict(RequestError):
    code = "idempotency_conflict"
    detail = "This Idempotency-Key was used before, with other content."
    next_step = "Use a new key for a new recording, and the old key only to repeat the very same request."


class QuotaExceeded(RequestError):
    code = "quota_exceeded"
    detail = "Your storage is full."
    next_step = "Delete memories that you no longer need, or ask the people who run this service for more."


class TooManyUploads(RequestError):
    code = "too_many_uploads"
    detail = "You have sent more recordings in the last hour than this service takes from one person."
    next_step = "Keep the recording and send it after the time in Retry-After."


class StaleVersion(RequestError):
    code = "stale_version"
    detail = "The memory has changed since you read it."
    next_step = "Read it again, and repeat your change on what it is now."


class RangeNotSatisfiable(RequestError):
    code = "range_not_satisfiable"
    detail = "The recording ends before the range begins."
    next_step = "Ask for a range within the length that Content-Range names, or for the whole."

    def __init__(self, detail: str | None = None, *, length: int = 0) -> None:
        super().__init__(detail)
        self.length = length  # of the whole, in bytes


class BadCursor(RequestError):
    code = "bad_cursor"
    detail = "The cursor is not one that this service gave."
    next_step = "Follow `next` as it is, or begin again without a cursor."


class UnknownSegment(RequestError):
    code = "unknown_segment"
    detail = "The transcript has no such segment."
    next_step = "Read the memory again, and name segments by the ids that it has now."


class TranscriptNotReady(RequestError):
    code = "transcript_not_ready"
    detail = "There is no transcript yet."
    next_step = "Wait until the status is READY, TRANSCRIBED or NO_SPEECH; if it is FAILED, its error says what to do."


class MemoryBusy(RequestError):
    code = "memory_busy"
    detail = "The memory is being processed right now."
    next_step = "Wait until its status changes, then try again."


class UploadIncomplete(RequestError):
    code = "upload_incomplete"
    detail = "The bytes of this upload are not there, or not all of them."
    next_step = "Read the upload to see which parts are missing, send them, then ask again."


class UploadMismatch(RequestError):
    code = "upload_mismatch"
    detail = "What was uploaded is not what was announced."
    next_step = "Announce a new upload with the size and the SHA-256 of the file, and send that very file."


class UploadExpired(RequestError):
    code = "upload_expired"
    detail = "The time for this upload is over."
    next_step = "Announce a new upload and send the recording again."


class NothingToAnalyze(RequestError):
    code = "nothing_to_analyze"
    detail = "The memory has no transcript yet."
    next_step = "Reprocess from transcription."


# --- what we depend on ---------------------------------------------------------------------------------------------


class StorageFull(MemoriesError):
    code = "storage_full"
    detail = "The storage is full: the recording was not accepted."
    next_step = "Keep the recording and send it again later; the people who run this service must make room."


class StorageUnavailable(MemoriesError):
    code = "storage_unavailable"
    detail = "The storage cannot be reached."
    next_step = "Nothing is lost: try again in a minute."


class DatabaseUnavailable(MemoriesError):
    code = "database_unavailable"
    detail = "The database cannot be reached."
    next_step = "Nothing that was accepted is lost: try again in a minute."


class QueueUnavailable(MemoriesError):
    code = "queue_unavailable"
    detail = "The queue cannot be reached."
    next_step = "Nothing is lost: the sweep rings again within minutes."


class EventsUnavailable(MemoriesError):
    code = "events_unavailable"
    detail = "Live events cannot be had right now."
    next_step = "Poll with GET memories/{id}?wait=25 meanwhile, and come back after the seconds in Retry-After."


class TranscriberUnavailable(MemoriesError):
    code = "transcriber_unavailable"
    detail = "The transcriber cannot be reached, or is overloaded."
    next_step = "It is tried again by itself; after the last attempt, requeue the memory."


class TranscriptionRefused(MemoriesError):
    code = "transcription_refused"
    permanent = True
    detail = "The transcriber refused this recording."
    next_step = "Listen to the recording; reprocess it with another transcription model."


class ModelUnusable(MemoriesError):
    code = "model_unusable"
    detail = "The speech model cannot be loaded."
    next_step = "Operators: run `manage.py check`, mend WHISPER_MODEL or install the model again, then requeue."


class AnalyzerUnavailable(MemoriesError):
    code = "analyzer_unavailable"
    detail = "The analyzer cannot be reached, or is overloaded."
    next_step = "The transcript is kept; reprocess from analysis."


class AnalysisRefused(MemoriesError):
    code = "analysis_refused"
    permanent = True
    detail = "The analyzer refused this transcript."
    next_step = "The transcript is kept; reprocess from analysis with another model."


class Waiting(MemoriesError):
    """The memory can do nothing about it, and waits at the cost of no attempt."""


class PaidWorkStopped(Waiting):
    """The provider turns all of our calls down: paid work stops for everybody until one of them works again."""


class KeyRefused(PaidWorkStopped):
    code = "provider_key_refused"
    detail = "The provider refuses our key."
    next_step = "It goes on by itself. Operators: mend OPENAI_API_KEY or the rights of its project."


class AccountSpent(PaidWorkStopped):
    code = "provider_account_spent"
    detail = "The account at the provider is spent."
    next_step = "It goes on by itself. Operators: add credit at the provider, or raise its limit."


class ModelGone(PaidWorkStopped):
    code = "provider_model_gone"
    detail = "The provider does not have the configured model, or not for us."
    next_step = "It goes on by itself. Operators: set another model; `manage.py check` names those that close."


class BudgetSpent(Waiting):
    code = "budget_spent"
    detail = "The daily budget for paid work is spent."
    next_step = (
        "It goes on after midnight UTC. Operators: raise MEMORIES_DAILY_BUDGET_USD, then reprocess it to go on sooner."
    )


class BudgetTooSmall(MemoriesError):
    code = "budget_too_small"
    permanent = True
    detail = "One call for this recording would cost more than a whole day's budget."
    next_step = "Operators: raise the daily budget, then requeue the memory."


# --- the course of a job -------------------------------------------------------------------------------------------


class WorkerLost(MemoriesError):
    code = "worker_lost"
    detail = "The worker stopped in the middle of its work, each time that it was tried."
    next_step = "Operators: look for a worker that was killed (out of memory?), then requeue the memory."


class DeliveryFailed(MemoriesError):
    code = "delivery_failed"
    permanent = True
    detail = "The queue gave up delivering the message of this memory."
    next_step = "Read the dead letter, mend the cause, then requeue it."


class LeaseLost(MemoriesError):
    """This worker's claim ran out and somebody else holds the memory, or it was erased: change nothing more."""

    code = "lease_lost"


class Interrupted(MemoriesError):
    """The worker was asked to stop: hand the memory back, at the cost of no attempt."""

    code = "interrupted"


def _tree(cls: type[MemoriesError]) -> Iterator[type[MemoriesError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _tree(child)


BY_CODE: dict[str, type[MemoriesError]] = {cls.code: cls for cls in _tree(MemoriesError) if "code" in vars(cls)}
"""Each stable code and its class; a class without a code of its own is only a root. A row stores the code, people are
shown the class's next step."""


def next_step(code: str) -> str:
    """What a person can do about an error that was stored under its code."""
    return BY_CODE.get(code, MemoriesError).next_step
