"""The pieces of a recording's transcript, put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from memories.types import Clip, Segment, TranscriptResult


def in_recording_time(result: TranscriptResult, clip: Clip) -> TranscriptResult:
    """The words of a clip with times that count from the beginning of the recording, not of the clip."""

    def moved(seconds: float | None) -> float | None:
        return None if seconds is None else round(seconds + clip.start, 3)

    segments = (replace(segment, start=moved(segment.start), end=moved(segment.end)) for segment in result.segments)
    return replace(result, segments=tuple(segments))


def join(results: Iterable[TranscriptResult]) -> TranscriptResult:
    """The chunks of a recording as one transcript; its language is the one in which most was said."""
    spoken = [result for result in results if result.text]
    if not spoken:
        return TranscriptResult("", None, (), model="")
    languages: Counter[str | None] = Counter()
    for result in spoken:
        languages[result.language] += len(result.text)
    segments: list[Segment] = [segment for result in spoken for segment in result.segments]
    return TranscriptResult(
        text=" ".join(result.text for result in spoken),
        language=languages.most_common(1)[0][0],
        segments=tuple(replace(segment, id=number) for number, segment in enumerate(segments)),
        model=spoken[0].model,
    )
