"""What a person corrects in a memory. From then on the field is theirs: processing does not touch it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F

from memories import events, insights, search
from memories.errors import StaleVersion, TranscriptNotReady, UnknownSegment
from memories.models import Memory, Tag, Transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """New values; None leaves a field as it is."""

    title: str | None = None
    summary: str | None = None
    tags: Sequence[str] | None = None
    segments: Mapping[int, str] | None = None  # new text by segment id


def edit(memory: Memory, changes: Changes, *, edition: int | None = None) -> None:
    """Write the changes and index them; what is the same already makes no new version.

    Raises StaleVersion where the memory is not at `edition` any more, Memory.DoesNotExist where it was erased,
    TranscriptNotReady and UnknownSegment.
    """
    with transaction.atomic():
        row = Memory.objects.filter(pk=memory.pk)
        current = row.select_for_update().get()  # a worker that saves now waits, and then sees what is edited
        if edition is not None and current.edition != edition:
            raise StaleVersion
        fields: dict[str, Any] = {
            name: value
            for name, value in (("title", changes.title), ("summary", changes.summary))
            if value is not None and value != getattr(current, name)
        }
        edited = set(fields)
        if changes.tags is not None and _set_tags(current, changes.tags):
            edited.add("tags")
        if changes.segments is not None and _set_segments(current, changes.segments):
            edited.add("transcript")
        if edited:
            row.touch(edition=F("edition") + 1, **fields, edited_fields=sorted(edited.union(current.edited_fields)))
            current.refresh_from_db()
            search.index(current)
            events.announce(current.pk)


def _set_tags(memory: Memory, names: Sequence[str]) -> bool:
    present = memory.taggings.filter(tag__kind=Tag.Kind.TAG).values_list("tag__folded", flat=True)
    if set(present) == {Tag.fold(name) for name in names}:
        return False
    insights.set_tags(memory, names)
    return True


def _set_segments(memory: Memory, texts: Mapping[int, str]) -> bool:
    transcript = Transcript.objects.filter(memory=memory).first()
    if transcript is None:
        raise TranscriptNotReady
    segments = {segment["id"]: segment for segment in transcript.segments}
    if unknown := texts.keys() - segments.keys():
        raise UnknownSegment(f"The transcript has no segment {min(unknown)}.")
    if all(segments[id_]["text"] == text for id_, text in texts.items()):
        return False
    transcript.segments = [segment | {"text": texts.get(id_, segment["text"])} for id_, segment in segments.items()]
    transcript.text = " ".join(segment["text"].strip() for segment in transcript.segments if segment["text"].strip())
    transcript.save(update_fields=["text", "segments"])
    insights.prune(memory, transcript)
    return True
