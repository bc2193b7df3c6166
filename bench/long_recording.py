"""An hour of speech, end to end: .venv/bin/python -m bench.long_recording [MINUTES]

Makes a recording of that length from the sample speech, sends it over HTTP, and prints how many times faster than it
was spoken it became a memory, and the most memory that the worker took.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from bench.service import SAMPLES, megabytes, running


def speech(minutes: float, target: Path) -> None:
    """The sample over and over, as m4a at 48 kbit/s."""
    with av.open(str(target), "w", format="ipod") as sink:
        stream = sink.add_stream("aac", rate=16_000, layout="mono", bit_rate=48_000)
        written = 0
        while written < minutes * 60 * 16_000:
            with av.open(str(SAMPLES / "speech_en.flac")) as source:
                for frame in source.decode(audio=0):
                    frame.pts = written
                    written += frame.samples
                    sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))


def main(minutes: float) -> None:
    with TemporaryDirectory() as folder, running() as service:
        recording = Path(folder) / "long.m4a"
        speech(minutes, recording)
        print(f"Sending {minutes:g} minutes, {recording.stat().st_size / 1e6:.1f} MB")
        started = time.monotonic()
        memory = service.finished(service.send(recording))
        seconds = time.monotonic() - started
        spoken = memory["duration_seconds"]
        print(f"{memory['status']}: {spoken:.0f} s of speech in {seconds:.0f} s: {spoken / seconds:.1f} x real time")
        print(f"Worker: at most {megabytes(service.worker.pid, 'VmHWM'):.0f} MB")
        print(f"{len(memory['transcript']['text'].split())} words in {len(memory['transcript']['segments'])} segments")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
