"""An hour of speech through OpenAI's protocol: .venv/bin/python -m bench.long_recording_openai [MINUTES] [DELAY]

A stub answers each call after DELAY seconds. Prints how many delays the transcription took (1 would be all chunks at
once, at no cost of our own), the most memory that the worker took, and how many chunks a kill -9 in the middle costs.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.long_recording import speech
from bench.service import Service, megabytes, running
from memories.tests.openai_stub import OpenAIStub
from memories.tests.processes import wait_for

LEASE = "10"  # seconds, so that a kill does not take the five minutes of production


def through(service: Service, recording: Path, stub: OpenAIStub) -> float:
    """Seconds from the upload to READY."""
    stub.forget()
    started = time.monotonic()
    memory = service.finished(service.send(recording))
    assert memory["status"] == "READY", memory["error"]
    return time.monotonic() - started


def killed_in_the_middle(service: Service, recording: Path, stub: OpenAIStub) -> int:
    """How many calls were made more than there are chunks."""
    stub.forget()
    identifier = service.send(recording)
    wait_for(lambda: len(stub.transcriptions) >= 1, seconds=600)
    service.worker.kill()
    service.worker.wait()
    other = service.server.house.worker()
    try:
        memory = service.finished(identifier)
    finally:
        other.terminate()
        other.wait()
    assert memory["status"] == "READY", memory["error"]
    return len(stub.transcriptions) - len({call.sha256 for call in stub.transcriptions})


def main(minutes: float, delay: float) -> None:
    with TemporaryDirectory() as folder, OpenAIStub(delay=delay) as stub:
        recording = Path(folder) / "long.m4a"
        speech(minutes, recording)
        env = {**stub.env, "OPENAI_TRANSCRIPTION_MODEL": "whisper-1", "MEMORIES_LEASE_SECONDS": LEASE}
        with running(**env) as service:
            seconds = through(service, recording, stub)
            calls = stub.transcriptions
            spent = max(call.ended for call in calls) - min(call.began for call in calls)
            print(f"{minutes:g} minutes in {len(calls)} chunks, at most {stub.peak} at a time, {delay:g} s each")
            print(f"From upload to READY {seconds:.1f} s; transcription {spent:.1f} s = {spent / delay:.2f} delays")
            print(f"Worker: at most {megabytes(service.worker.pid, 'VmHWM'):.0f} MB")
            print(f"Killed in the middle: {killed_in_the_middle(service, recording, stub)} chunks were asked for again")


if __name__ == "__main__":
    arguments = [float(argument) for argument in sys.argv[1:]]
    main(*arguments, *(60.0, 20.0)[len(arguments) :])
