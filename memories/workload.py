"""What processing memories again will take, in words: said before somebody decides."""

from __future__ import annotations

from collections.abc import Iterable

from memories import ports
from memories.models import Stage


def sound(durations: Iterable[float | None]) -> str:
    """Of memories that will be transcribed again, by their lengths in seconds; None: not known yet."""
    lengths = list(durations)
    known = [seconds for seconds in lengths if seconds is not None]
    unknown = len(lengths) - len(known)
    parts = [f"{sum(known) / 60:.1f} minutes of sound"] if known or not unknown else []
    if unknown:
        parts.append(f"recordings of a length not known yet ({unknown})")
    said = " and ".join(parts)
    return f"{said[0].upper()}{said[1:]} will be transcribed again."


def price(durations: Iterable[float | None], stage: Stage) -> str:
    """What the providers want for it, as far as it is known before."""
    transcribes = stage is Stage.TRANSCRIPTION and ports.transcriber().paid
    if not (transcribes or ports.analyzer().paid):
        return "It costs nothing: this machine does it."
    if not transcribes:
        return "Each analysis is paid for."
    usd = ports.transcriber().estimate(sum(seconds or 0.0 for seconds in durations))
    return f"Transcribing what is known costs about {usd:.2f} USD, and each analysis is paid for."
