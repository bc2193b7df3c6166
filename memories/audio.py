"""Sound: what a file is, and how it becomes what a transcriber takes. PyAV only; knows nothing of Django.

Files come from strangers. They are opened as file objects (a playlist that names other files stays harmless), only as
formats that we list, and what their headers say is not believed: what counts is what was decoded.
"""

from __future__ import annotations

import os
import time
import wave
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from memories.errors import EmptyUpload, NoSound, NotAudio, TooCostly, TooLong
from memories.types import Clip, Progress

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.filter import Graph

RATE = 16_000  # Hz, mono, signed 16 bit: what Whisper was trained on
BYTES_PER_SECOND = 2 * RATE  # at most: FLAC takes about half
OPEN_OPTIONS = {
    "format_whitelist": "mov,mp3,matroska,ogg,wav,w64,flac,aac,amr,caf,aiff,asf,au",
    "protocol_whitelist": "none",
    "enable_drefs": "0",
}
# Quiet speakers beside loud ones are dropped by voice detection unless they are levelled: RMS, smoothed over seconds;
# what is below the threshold is silence and stays so.
LEVEL = "dynaudnorm=framelen=1000:gausssize=5:targetrms=0.1:maxgain=30:threshold=0.001"
MAX_CPU_SECONDS = 900.0  # an hour of m4a takes 10
PROBE_PACKETS = 500  # without a sample in them, there is no sound
MISSING_SHARE, MISSING_SECONDS = 0.02, 0.5  # less than the header says by more than this: damaged
SEARCH_SECONDS = 120.0  # how far before the limit of a chunk a quiet place is looked for
SEARCH_SHARE = 0.2  # the same for short chunks
SANE_SECONDS = 7 * 24 * 3600.0  # a header that claims more is a lie, not a damaged week
QUIET_SECONDS = 0.3
BLOCK = 320  # samples: 20 ms
STRIDE = 4  # every fourth sample tells loudness well enough


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file is by its content. `seconds` is what its header says: a hint, None where it says nothing."""

    content_type: str
    extension: str  # without the dot
    seconds: float | None


@dataclass(frozen=True, slots=True)
class NormalizedAudio:
    """16 kHz, mono, signed 16 bit, levelled. `damage` says in a sentence what could not be read."""

    path: Path  # a WAV file
    seconds: float
    damage: str | None
    format: str = "wav"  # of the recording as it came: its file extension without the dot


@dataclass(frozen=True, slots=True)
class Cut:
    """A chunk, in seconds from the beginning of the recording, to the millisecond."""

    start: float
    end: float


def probe(file: BinaryIO) -> Probe:
    """What this file is. Cheap: reads the header and the first samples. Raises EmptyUpload, NotAudio or NoSound."""
    with opened(file) as (container, stream):
        decoder = _Decoder(container, stream, max_packets=PROBE_PACKETS)
        if not any(frame.samples for frame in decoder.frames()):
            raise NotAudio if decoder.errors else NoSound
        content_type, extension = _type_of(container)
        return Probe(content_type, extension, _claimed_seconds(file, container, stream))


def normalize(
    file: BinaryIO,
    target: Path,
    *,
    max_seconds: float,
    max_cpu_seconds: float = MAX_CPU_SECONDS,
    on_progress: Progress | None = None,
) -> NormalizedAudio:
    """Decode, level and resample into a WAV file at `target`, in bounded memory; of a damaged file, what is there.

    `on_progress` is called all along, with 0.0 where the length is not known.

    Raises EmptyUpload, NotAudio, NoSound, TooLong (by what was decoded) or TooCostly (CPU time of this thread).
    """
    with opened(file) as (container, stream), wave.open(str(target), "wb") as sink:
        sink.setparams((1, 2, RATE, 0, "NONE", ""))
        _, extension = _type_of(container)
        claimed = _claimed_seconds(file, container, stream)
        decoder = _Decoder(container, stream, max_cpu_seconds=max_cpu_seconds)
        written = 0
        for samples in _levelled(decoder.resampled()):
            written += len(samples) // 2
            if written > max_seconds * RATE:
                raise TooLong(f"The recording is longer than the {max_seconds / 3600:g} hours that this service takes.")
            sink.writeframes(samples)
            if on_progress:
                on_progress(min(1.0, written / RATE / claimed) if claimed else 0.0)
    seconds = written / RATE
    if not written:
        raise NotAudio if decoder.errors else NoSound
    return NormalizedAudio(target, seconds, _damage(file, decoder, seconds, claimed), extension)


def split(audio: NormalizedAudio, *, max_seconds: float) -> list[Cut]:
    """Cuts of at most `max_seconds`, each at the quietest place near its end. The same sound gives the same cuts."""
    cuts, start = [], 0.0
    with wave.open(str(audio.path), "rb") as source:
        while audio.seconds - start > max_seconds:
            end = _quiet_place(source, start, start + max_seconds)
            cuts.append(Cut(start, end))
            start = end
    return [*cuts, Cut(start, round(audio.seconds, 3))]


def clip(audio: NormalizedAudio, cut: Cut, target: Path) -> Clip:
    """One chunk at `target`, a .wav or .flac; the decoded file itself where it is one chunk and WAV is wanted."""
    form = target.suffix.lstrip(".")
    if form == "wav" and cut == Cut(0.0, round(audio.seconds, 3)):
        target = audio.path
    elif form == "wav":
        with wave.open(str(target), "wb") as sink:
            sink.setparams((1, 2, RATE, 0, "NONE", ""))
            for samples in _samples(audio, cut):
                sink.writeframes(samples)
    else:
        _write_flac(_samples(audio, cut), target)
    return Clip(target, cut.start, cut.end - cut.start, form)


def _samples(audio: NormalizedAudio, cut: Cut) -> Iterator[bytes]:
    """The chunk, a second at a time."""
    with wave.open(str(audio.path), "rb") as source:
        source.setpos(int(cut.start * RATE))
        left = int(cut.end * RATE) - int(cut.start * RATE)
        while left > 0 and (samples := source.readframes(min(left, RATE))):
            yield samples
            left -= len(samples) // 2


def _write_flac(blocks: Iterator[bytes], target: Path) -> None:
    import av

    with av.open(str(target), "w", format="flac") as sink:
        stream = sink.add_stream("flac", rate=RATE, layout="mono")
        position = 0
        for samples in blocks:
            frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
            frame.planes[0].update(samples)
            frame.sample_rate, frame.pts = RATE, position
            position += frame.samples
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))


@contextmanager
def opened(file: BinaryIO) -> Iterator[tuple[InputContainer, AudioStream]]:
    """The container and its first audio stream. What FFmpeg has to say against the file is NotAudio."""
    import av

    file.seek(0, os.SEEK_END)
    if not file.tell():
        raise EmptyUpload
    file.seek(0)
    try:
        container = av.open(file, mode="r", options=OPEN_OPTIONS, metadata_errors="replace")
    except (av.error.FFmpegError, UnicodeError) as error:
        raise NotAudio from error
    with container:
        if not container.streams.audio:
            raise NoSound
        yield container, container.streams.audio[0]


class _Decoder:
    """Frames of a stream, past what cannot be decoded; `errors` counts that. Raises TooCostly."""

    def __init__(
        self,
        container: InputContainer,
        stream: AudioStream,
        *,
        max_packets: int | None = None,
        max_cpu_seconds: float = MAX_CPU_SECONDS,
    ) -> None:
        self.container, self.stream = container, stream
        self.max_packets, self.max_cpu_seconds = max_packets, max_cpu_seconds
        self.errors = 0

    def frames(self) -> Iterator[AudioFrame]:
        import av

        packets = self.container.demux(self.stream)
        count, started = 0, time.thread_time()
        while self.max_packets is None or count < self.max_packets:
            count += 1
            if time.thread_time() - started > self.max_cpu_seconds:  # packets without a sample in them cost, too
                raise TooCostly
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:  # the container itself is broken here: there is no way to go on
                self.errors += 1
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.errors += 1
                continue
            yield from frames

    def resampled(self) -> Iterator[AudioFrame]:
        import av

        resampler, shape = self._resampler(), None
        for frame in self.frames():
            if shape != (shape := (frame.sample_rate, frame.layout.name, frame.format.name)):
                yield from resampler.resample(None)  # sound may change its rate or channels in mid-stream
                resampler = self._resampler()
            try:
                yield from resampler.resample(frame)
            except (av.error.FFmpegError, ValueError):  # damaged bytes may claim 33 channels
                self.errors += 1
                resampler = self._resampler()
        yield from resampler.resample(None)

    @staticmethod
    def _resampler() -> AudioResampler:
        import av

        return av.AudioResampler(format="s16", layout="mono", rate=RATE)


def _levelled(frames: Iterator[AudioFrame]) -> Iterator[bytes]:
    """Even loudness, as raw samples."""
    import av

    graph = _level_graph()
    position = 0

    def drained() -> Iterator[bytes]:
        while True:
            try:
                frame = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(frame, av.AudioFrame)  # noqa: S101 (for the type checker: the graph ends in audio)
            yield bytes(frame.planes[0])[: frame.samples * 2]

    for frame in frames:
        frame.pts, position = position, position + frame.samples
        graph.push(frame)
        yield from drained()
    graph.push(None)
    yield from drained()


def _level_graph() -> Graph:
    from av.filter import Graph

    name, _, arguments = LEVEL.partition("=")
    graph = Graph()
    nodes = [
        graph.add_abuffer(sample_rate=RATE, format="s16", layout="mono", time_base=None),
        graph.add(name, arguments),
        graph.add("aformat", f"sample_fmts=s16:sample_rates={RATE}:channel_layouts=mono"),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph


def _claimed_seconds(file: BinaryIO, container: InputContainer, stream: AudioStream) -> float | None:
    """What the header says. Where there is none (AAC, AMR, many MP3s), FFmpeg guesses from the bit rate: no claim."""
    if container.format.name in ("aac", "amr") or (container.format.name == "mp3" and not _has_mp3_header(file)):
        return None
    seconds = container.duration / 1_000_000 if container.duration else 0.0
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    return seconds if 0 < seconds < SANE_SECONDS else None


def _has_mp3_header(file: BinaryIO) -> bool:
    """Whether a Xing, Info or VBRI frame follows the ID3v2 tag (https://id3.org/id3v2.4.0-structure, section 3.1)."""
    position = file.tell()  # FFmpeg reads on from here
    file.seek(0)
    tag = file.read(10)
    size = sum(byte << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=False))
    file.seek(10 + size if tag.startswith(b"ID3") else 0)
    beginning = file.read(4096)
    file.seek(position)
    return any(name in beginning for name in (b"Xing", b"Info", b"VBRI"))


def _damage(file: BinaryIO, decoder: _Decoder, seconds: float, claimed: float | None) -> str | None:
    if claimed and claimed - seconds > max(MISSING_SECONDS, MISSING_SHARE * claimed):
        return f"The recording is damaged: {seconds:.0f} of its {claimed:.0f} seconds could be read."
    if decoder.errors:
        return "The recording is damaged: parts of it could not be read."
    if _breaks_off(file, decoder.container.format.name):
        return "The recording breaks off: its end is missing."
    return None


def _breaks_off(file: BinaryIO, container: str) -> bool:
    """Whether a format that says how it ends does not end so; FFmpeg passes over that."""
    size = file.seek(0, os.SEEK_END)
    if container == "wav":  # RIFF states its size, and streams state one of the greatest numbers instead
        file.seek(4)
        stated = int.from_bytes(file.read(4), "little")
        return size - 8 < stated < 0x7FFF0000
    if container == "ogg":  # https://www.rfc-editor.org/rfc/rfc3533 section 6: bit 2 of the header type ends a stream
        file.seek(max(0, size - 65_536))
        tail = file.read()
        page = tail.rfind(b"OggS")
        return page >= 0 and not tail[page + 5] & 0x04
    return False


_TYPES = {
    "mp3": ("audio/mpeg", "mp3"),
    "wav": ("audio/wav", "wav"),
    "w64": ("audio/wav", "w64"),
    "flac": ("audio/flac", "flac"),
    "ogg": ("audio/ogg", "ogg"),
    "aac": ("audio/aac", "aac"),
    "amr": ("audio/amr", "amr"),
    "caf": ("audio/x-caf", "caf"),
    "aiff": ("audio/aiff", "aiff"),
    "asf": ("audio/x-ms-wma", "wma"),
    "au": ("audio/basic", "au"),
}


def _type_of(container: InputContainer) -> tuple[str, str]:
    """The media type and the extension, by the container and whether there is a moving picture in it."""
    from av.stream import Disposition

    picture = any(not stream.disposition & Disposition.attached_pic for stream in container.streams.video)
    names = container.format.name.split(",")
    if "webm" in names:
        return ("video/webm" if picture else "audio/webm"), "webm"
    if "mp4" in names:
        if container.metadata.get("major_brand", "").startswith("3g"):
            return ("video/3gpp" if picture else "audio/3gpp"), "3gp"
        return ("video/mp4", "mp4") if picture else ("audio/mp4", "m4a")
    return _TYPES[names[0]]


def _quiet_place(source: wave.Wave_read, start: float, limit: float) -> float:
    """The middle of the quietest 300 ms before the limit, in seconds."""
    begin = max(limit - SEARCH_SECONDS, limit - SEARCH_SHARE * (limit - start))
    source.setpos(int(begin * RATE))
    samples = array("h", source.readframes(int((limit - begin) * RATE)))
    loudness = [
        sum(sample * sample for sample in samples[i : i + BLOCK : STRIDE])
        for i in range(0, len(samples) - BLOCK + 1, BLOCK)
    ]
    width = int(QUIET_SECONDS * RATE / BLOCK)
    quietest = min(range(max(1, len(loudness) - width)), key=lambda i: sum(loudness[i : i + width]))
    return round(begin + (quietest + width / 2) * BLOCK / RATE, 3)
