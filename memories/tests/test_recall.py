"""The timeline: its filters, its order, its pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from memories import recall
from memories.errors import BadCursor
from memories.models import Memory, Status
from memories.recall import Filters
from memories.tests.factories import make_memory, make_user

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def found(owner: User, **filters: object) -> set[Memory]:
    return set(recall.timeline(owner, Filters(**filters)))  # type: ignore[arg-type]


def walk(owner: User, *, limit: int) -> list[Memory]:
    """Every page, one after the other."""
    walked: list[Memory] = []
    cursor: str | None = ""
    while cursor is not None:
        page = recall.page(recall.timeline(owner, Filters()), cursor=cursor, limit=limit)
        walked += page.memories
        cursor = page.next
    return walked


def test_the_timeline_shows_the_newest_first(owner: User) -> None:
    old = make_memory(owner, recorded_at=NOON - timedelta(days=1))
    new = make_memory(owner, recorded_at=NOON)
    assert list(recall.timeline(owner, Filters())) == [new, old]


def test_nobody_sees_the_memories_of_others(owner: User) -> None:
    make_memory(transcript="A secret.", tags=["secret"])
    assert found(owner) == set()
    assert found(owner, q="secret") == set()
    assert found(owner, tag="secret") == set()


def test_several_statuses_may_be_asked_for(owner: User) -> None:
    ready, failed = make_memory(owner), make_memory(owner, status=Status.FAILED)
    make_memory(owner, status=Status.QUEUED)
    assert found(owner, status=frozenset({Status.READY, Status.FAILED})) == {ready, failed}


def test_a_tag_is_found_by_its_whole_name_in_any_case(owner: User) -> None:
    tagged = make_memory(owner, tags=["Home Garden"])
    make_memory(owner, tags=["garden"])
    assert found(owner, tag="home  GARDEN") == {tagged}


def test_a_person_is_not_a_place(owner: User) -> None:
    person, place = make_memory(owner, people=["Florence"]), make_memory(owner, places=["Florence"])
    assert found(owner, person="florence") == {person}
    assert found(owner, place="florence") == {place}


def test_the_time_of_recording_is_bounded_from_and_until(owner: User) -> None:
    at_noon = make_memory(owner, recorded_at=NOON)
    later = make_memory(owner, recorded_at=NOON + timedelta(hours=1))
    assert found(owner, recorded_after=NOON) == {at_noon, later}
    assert found(owner, recorded_before=NOON + timedelta(hours=1)) == {at_noon}


def test_filters_narrow_each_other(owner: User) -> None:
    both = make_memory(owner, tags=["work"], people=["Ada"])
    make_memory(owner, tags=["work"])
    assert found(owner, tag="work", person="Ada") == {both}


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_show_each_memory_once_also_where_all_were_recorded_at_once(owner: User, limit: int) -> None:
    memories = [make_memory(owner, recorded_at=NOON) for _ in range(7)]
    walked = walk(owner, limit=limit)
    assert len(walked) == 7
    assert set(walked) == set(memories)


def test_what_comes_in_while_somebody_turns_pages_shifts_nothing(owner: User) -> None:
    old = [make_memory(owner, recorded_at=NOON - timedelta(hours=n)) for n in range(4)]
    first = recall.page(recall.timeline(owner, Filters()), limit=2)
    make_memory(owner, recorded_at=NOON + timedelta(hours=1))
    old[1].delete()  # the very memory that the cursor points at
    second = recall.page(recall.timeline(owner, Filters()), cursor=first.next or "", limit=2)
    assert second.memories == old[2:]
    assert second.next is None


@pytest.mark.parametrize(
    "cursor",
    ["nonsense", "MQ", "MS4y", "=", "\N{SNOWMAN}", "OTk5OTk5OTk5OTk5OTk5OTk5OTkuMDAwMA", "a" * 10_000],
)
def test_a_cursor_of_somebody_elses_making_is_refused(owner: User, cursor: str) -> None:
    with pytest.raises(BadCursor):
        recall.page(recall.timeline(owner, Filters()), cursor=cursor, limit=2)


def test_a_cursor_keeps_microseconds() -> None:
    memory = make_memory(make_user(), recorded_at=NOON + timedelta(microseconds=123457))
    position = recall.Position(memory.recorded_at, memory.pk)
    assert recall.Position.decode(position.encode()) == position


def test_a_list_does_not_load_the_words(owner: User) -> None:
    make_memory(owner, transcript="Long and winding.")
    (memory,) = recall.timeline(owner, Filters())
    assert {"text", "segments"} <= memory.transcript.get_deferred_fields()
