"""What a memory says, as rows: an analysis saved, a person's edits, and findings that lost their evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction

from memories.evidence import locate
from memories.models import Memory, Tag, Tagging, Transcript
from memories.types import ActionItem, AnalysisResult


def replace(memory: Memory, result: AnalysisResult) -> None:
    """Save an analysis, but for the fields that a person changed. The caller holds the row's lock."""
    if not memory.edited("title"):
        memory.title = result.title[:200]
    if not memory.edited("summary"):
        memory.summary = result.summary
    memory.mood = {"label": result.mood.label, **asdict(result.mood.evidence)} if result.mood else None
    memory.action_items = [_action_item(item) for item in result.action_items]
    memory.analysis_model = result.model
    memory.findings_dropped = result.dropped
    memory.save(
        update_fields=["title", "summary", "mood", "action_items", "analysis_model", "findings_dropped"],
    )
    kinds = {Tag.Kind.PERSON: result.people, Tag.Kind.PLACE: result.places}
    if not memory.edited("tags"):
        kinds[Tag.Kind.TAG] = result.tags
    Tagging.objects.filter(memory=memory, tag__kind__in=kinds).delete()
    for kind, findings in kinds.items():
        attach(memory, kind, [(finding.name, asdict(finding.evidence)) for finding in findings])


def attach(memory: Memory, kind: Tag.Kind, names: Iterable[tuple[str, dict[str, Any] | None]]) -> None:
    """Put tags on a memory that has none of this kind; each name with its evidence, or None from a person."""
    by_fold = {Tag.fold(name): (" ".join(name.split())[:100], evidence) for name, evidence in names if name.strip()}
    with transaction.atomic():
        tags = _tags(memory.owner_id, kind, {folded: name for folded, (name, _) in by_fold.items()})
        Tagging.objects.bulk_create(
            Tagging(memory=memory, tag=tags[folded], evidence=evidence) for folded, (_, evidence) in by_fold.items()
        )


def _tags(owner_id: int, kind: Tag.Kind, names: dict[str, str]) -> dict[str, Tag]:
    """The owner's tags by folded name, made where they are missing, and locked: `forget_unused_tags` waits for us."""
    known: dict[str, Tag] = {}
    while missing := sorted(names.keys() - known.keys()):  # sorted: two workers lock in the same order
        Tag.objects.bulk_create(
            [Tag(owner_id=owner_id, kind=kind, name=names[folded], folded=folded) for folded in missing],
            ignore_conflicts=True,
        )
        locked = Tag.objects.select_for_update().filter(owner_id=owner_id, kind=kind, folded__in=missing)
        known |= {tag.folded: tag for tag in locked.order_by("folded")}
    return known


def forget_unused_tags(owner_id: int) -> None:
    """Delete the owner's tags that no memory has: names of people and places are personal too. In a transaction."""
    unused = Tag.objects.filter(owner_id=owner_id, taggings__isnull=True)
    locked = unused.select_for_update(of=("self",)).order_by("folded").values_list("pk", flat=True)
    Tag.objects.filter(pk__in=list(locked), taggings__isnull=True).delete()  # asked anew, now that they are locked


def set_tags(memory: Memory, names: Sequence[str]) -> None:
    """The tags that a person wants, in place of those that are there; what is kept keeps its evidence."""
    present = Tagging.objects.filter(memory=memory, tag__kind=Tag.Kind.TAG)
    evidence = dict(present.values_list("tag__folded", "evidence"))
    present.delete()
    attach(memory, Tag.Kind.TAG, [(name, evidence.get(Tag.fold(name))) for name in names])


def prune(memory: Memory, transcript: Transcript) -> None:
    """Drop the findings whose quote is no longer in the words, after the words changed; count them."""
    words = transcript.as_result()

    def stands(evidence: dict[str, Any] | None) -> bool:
        return evidence is None or locate(evidence["quote"], words) is not None

    taggings = Tagging.objects.filter(memory=memory, evidence__isnull=False)
    fallen = [tagging.pk for tagging in taggings if not stands(tagging.evidence)]
    Tagging.objects.filter(pk__in=fallen).delete()
    items = [item for item in memory.action_items if stands(item)]
    mood = memory.mood if stands(memory.mood) else None
    dropped = len(fallen) + len(memory.action_items) - len(items) + (mood != memory.mood)
    if dropped:
        memory.mood, memory.action_items = mood, items
        memory.findings_dropped += dropped
        memory.save(update_fields=["mood", "action_items", "findings_dropped"])


def _action_item(item: ActionItem) -> dict[str, Any]:
    return {
        "text": item.text,
        "due": item.due.isoformat() if item.due else None,
        "due_quote": item.due_quote,
        **asdict(item.evidence),
    }
