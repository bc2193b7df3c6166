"""The first stage: sound to words, chunk by chunk, several chunks at a time where the transcriber allows it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast

from django.conf import settings

from memories import audio, ports, spending
from memories.audio import Cut, NormalizedAudio
from memories.errors import AudioExpired, AudioMissing, Interrupted, TranscriptionRefused
from memories.leases import Run
from memories.models import Memory, Stage, Transcript
from memories.transcribers.base import Transcriber
from memories.transcripts import in_recording_time, join
from memories.types import Clip, TranscriptResult

CONTEXT = 200  # characters of the chunk before, given to the transcriber for continuity
WORKSPACE = "work-"  # a killed worker leaves one, with the sound in it: housekeeping deletes it
DECODING = 0.05  # of the progress bar
BEAT = 1.0  # seconds between two signs of life while calls are under way
StopSign = Callable[[], bool]


def transcribe(run: Run, should_stop: StopSign) -> None:
    """Sound to words; what an earlier attempt has saved is not asked for again."""
    if run.memory.edited("transcript"):  # a person's words stand: nothing to be had from the sound
        run.finish_transcription(Transcript.objects.get(memory=run.memory).as_result())
        return
    transcriber = ports.transcriber()
    with TemporaryDirectory(prefix=WORKSPACE, dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        with recording(run.memory) as file:
            sound = normalized_audio(run, file, Path(folder), should_stop)
            source = as_it_came(transcriber, run.memory, sound, file, Path(folder))
        try:
            results = Lanes(run, transcriber, source, sound.seconds, should_stop).results()
        except TranscriptionRefused:
            if not source.as_it_came:
                raise
            source = decoded(transcriber, sound, Path(folder))  # it may have been nothing but the codec
            results = Lanes(run, transcriber, source, sound.seconds, should_stop).results()
    run.finish_transcription(join(results))


def normalized_audio(run: Run, file: BinaryIO, folder: Path, should_stop: StopSign) -> NormalizedAudio:
    """The recording decoded and levelled in this folder; what is known of it now is saved."""

    def on_progress(fraction: float) -> None:
        if should_stop():
            raise Interrupted
        run.report(fraction * DECODING)

    sound = audio.normalize(
        file,
        folder / "sound.wav",
        max_seconds=settings.MEMORIES_MAX_AUDIO_HOURS * 3600,
        on_progress=on_progress,
    )
    run.describe_audio(seconds=sound.seconds, damage=sound.damage)
    return sound


def recording(memory: Memory) -> BinaryIO:
    if not memory.audio:
        raise AudioExpired
    try:
        return cast(BinaryIO, memory.audio.open("rb"))
    except FileNotFoundError as error:
        raise AudioMissing from error


@dataclass(frozen=True, slots=True)
class Source:
    """Where the clips of a recording come from: `clip` makes one, in whatever thread asks for it."""

    cuts: list[Cut]
    clip: Callable[[Cut], Clip]
    as_it_came: bool = False


def as_it_came(
    transcriber: Transcriber, memory: Memory, sound: NormalizedAudio, file: BinaryIO, folder: Path
) -> Source:
    """The recording itself, where the transcriber takes that in one call; else chunks of what we decoded."""
    if sound.damage or not transcriber.limits.take(sound.format, memory.audio_size, sound.seconds):
        return decoded(transcriber, sound, folder)
    path = folder / f"recording.{sound.format}"
    file.seek(0)
    with path.open("wb") as copy:
        shutil.copyfileobj(file, copy)
    whole = Cut(0.0, round(sound.seconds, 3))
    return Source([whole], lambda cut: Clip(path, cut.start, sound.seconds, sound.format), as_it_came=True)


def decoded(transcriber: Transcriber, sound: NormalizedAudio, folder: Path) -> Source:
    """Chunks of what we decoded, as FLAC where that is taken."""
    form = "flac" if "flac" in transcriber.limits.formats else "wav"
    cuts = audio.split(sound, max_seconds=transcriber.limits.longest(audio.BYTES_PER_SECOND))
    return Source(cuts, lambda cut: audio.clip(sound, cut, folder / f"{cut.start}.{form}"))


@dataclass
class Lanes:
    """Chunks in contiguous lanes, so that all but the first of each lane have the words before them as context.

    Calls run in threads of their own, one a lane; the database is touched by the thread that runs this only. A chunk is
    saved before its lane goes on to the next. When one fails, or the worker is to stop, those under way are waited for
    and saved: they are paid.
    """

    run: Run
    transcriber: Transcriber
    source: Source
    total: float  # seconds
    should_stop: StopSign
    _saved: dict[Cut, TranscriptResult] = field(default_factory=dict)
    _done: dict[Cut, float] = field(default_factory=dict)  # the finished fraction of each chunk
    _calls: dict[Future[TranscriptResult], _Call] = field(default_factory=dict)
    _failure: Exception | None = None

    def results(self) -> list[TranscriptResult]:
        """The words of every chunk, in order. Raises what the first call that failed raised, or Interrupted."""
        self._thread = threading.get_ident()
        self._saved = {Cut(*cut): result for cut, result in self.run.chunks(self.transcriber.name).items()}
        self._done = {cut: float(cut in self._saved) for cut in self.source.cuts}
        missing = [cut for cut in self.source.cuts if cut not in self._saved]
        if missing and self.transcriber.paid:
            spending.check(Stage.TRANSCRIPTION)
        lanes = _contiguous(missing, self.transcriber.limits.parallel)
        # Whisper works in this thread, and reports as it goes; a call to far away says nothing until it is answered.
        with ThreadPoolExecutor(len(lanes) or 1) if self.transcriber.paid else Inline() as pool:
            for lane in lanes:
                self._start_next(pool, lane)
            while self._calls:
                self._collect(pool)
        if self._failure:
            raise self._failure
        return [self._saved[cut] for cut in self.source.cuts]

    def _start_next(self, pool: Executor, lane: Iterator[Cut]) -> None:
        """One paid call, unless something speaks against it."""
        cut = None if self._failure else next(lane, None)
        if cut is None:
            return
        try:
            self._sign_of_life()
            reservation = None
            if self.transcriber.paid:
                estimate = self.transcriber.estimate(cut.end - cut.start)
                reservation = spending.reserve(Stage.TRANSCRIPTION, self.run.memory.owner_id, estimate)
        except Exception as error:  # those that are under way are saved before it goes on its way
            self._failure = error
            return
        language, prompt = self.run.memory.language or None, self._context(cut)
        future = pool.submit(self._transcribe, cut, language, prompt)
        self._calls[future] = _Call(cut, lane, reservation)

    def _collect(self, pool: Executor) -> None:
        """Save what has come back, and let its lanes go on."""
        done, _ = wait(self._calls, timeout=BEAT, return_when=FIRST_COMPLETED)
        for future in done:
            call = self._calls.pop(future)
            try:
                self._save(call, future.result())
            except Exception as error:
                if call.reservation:
                    call.reservation.fail(error)
                self._failure = self._failure or error
            self._start_next(pool, call.lane)
        if not done:
            try:
                self._sign_of_life()
            except Exception as error:
                self._failure = self._failure or error

    def _transcribe(self, cut: Cut, language: str | None, prompt: str) -> TranscriptResult:
        """In a lane's thread: no database here. Times come back as seconds from the beginning of the recording."""

        def on_progress(fraction: float) -> None:
            self._done[cut] = fraction
            if threading.get_ident() == self._thread:
                self._sign_of_life()

        clip = self.source.clip(cut)
        result = self.transcriber.transcribe(clip, language=language, prompt=prompt, on_progress=on_progress)
        clip.path.unlink()  # four hours of clips would fill a small disk; what failed is cut anew anyway
        return in_recording_time(result, clip)

    def _save(self, call: _Call, result: TranscriptResult) -> None:
        self.run.keep_chunk(call.cut.start, call.cut.end, result)
        self._saved[call.cut] = result
        self._done[call.cut] = 1.0
        if call.reservation:
            call.reservation.settle(result.usage.cost_usd)

    def _sign_of_life(self) -> None:
        """Says how far it is, which keeps the lease. Raises Interrupted, LeaseLost."""
        if self.should_stop():
            raise Interrupted
        spoken = sum((cut.end - cut.start) * fraction for cut, fraction in self._done.items())
        self.run.report(DECODING + (1 - DECODING) * spoken / self.total)

    def _context(self, cut: Cut) -> str:
        before = next((saved for other, saved in self._saved.items() if other.end == cut.start), None)
        return before.text[-CONTEXT:] if before else ""


@dataclass(frozen=True, slots=True)
class _Call:
    cut: Cut
    lane: Iterator[Cut]
    reservation: spending.Reservation | None


def _contiguous(cuts: list[Cut], lanes: int) -> list[Iterator[Cut]]:
    """The cuts in so many runs of about the same length."""
    count = min(lanes, len(cuts))
    bounds = [round(i * len(cuts) / count) for i in range(count + 1)] if count else [0]
    return [iter(cuts[start:end]) for start, end in pairwise(bounds)]


class Inline(Executor):
    """One call after the other in the thread that asks: a transcriber on our own CPU reports as it goes."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future
