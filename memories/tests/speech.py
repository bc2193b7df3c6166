"""Sound made here: tones and silence, as WAV files."""

from __future__ import annotations

import io
import math
import wave
from array import array

RATE = 16_000


def wav(*stretches: tuple[float, bool]) -> bytes:
    """A WAV file of stretches of (seconds, loud): a tone where loud, silence elsewhere."""
    samples = array("h")
    for seconds, loud in stretches:
        count = int(seconds * RATE)
        samples.extend(int(8000 * math.sin(i * 0.1)) for i in range(count)) if loud else samples.extend([0] * count)
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(RATE)
        target.writeframes(samples.tobytes())
    return file.getvalue()
