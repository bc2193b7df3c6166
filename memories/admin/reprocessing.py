"""Whether memories can be reprocessed, asked for many at once."""

from __future__ import annotations

from contextlib import suppress

from django.db.models import Exists, OuterRef

from memories import recovery
from memories.errors import AudioExpired, NothingToAnalyze
from memories.models import Memory, Stage, Transcript


def has_words(memory: str = "pk") -> Exists:
    """For `annotate`; `memory` names the field that leads to it."""
    return Exists(Transcript.objects.filter(memory=OuterRef(memory)).exclude(text=""))


def check(memory: Memory, stage: Stage, *, has_words: bool) -> None:
    """As `recovery.check_reprocessable`, which the doing goes through in any case, but without a query for each."""
    if stage is Stage.TRANSCRIPTION:
        recovery.check_reprocessable(memory, stage)
    elif not has_words:
        raise NothingToAnalyze
    else:
        with suppress(AudioExpired):  # no sound is needed; whether somebody is at work on it counts for both stages
            recovery.check_reprocessable(memory, Stage.TRANSCRIPTION)
