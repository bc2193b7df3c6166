"""What staff see, what they can do, and what is kept from them."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.storage import FileSystemStorage, Storage, default_storage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from memories import leases, uploads
from memories.errors import AudioExpired, MemoryBusy, NotAudio, NothingToAnalyze
from memories.models import Attempt, DeadLetter, DeviceToken, Memory, Stage, Status, Transcript, Upload
from memories.tests.factories import make_memory, make_user
from memories.tests.speech import wav

pytestmark = pytest.mark.django_db

SCRIPT = "<script>alert(1)</script>"
SECRETS = ("A private title", "a private summary", "said in private", "private-tag", "Maria Secret", "private.wav")
VIEWS = ("view_memory", "view_attempt", "view_deadletter", "view_devicetoken")
LISTS = ("memory", "attempt", "deadletter", "devicetoken")


def staff(*permissions: str) -> Client:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return signed_in(user)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root() -> Client:
    return signed_in(make_user(is_staff=True, is_superuser=True))


@pytest.fixture
def memory() -> Memory:
    return make_memory(
        title="A private title",
        summary="a private summary",
        transcript="What was said in private.",
        tags=["private-tag"],
        people=["Maria Secret"],
        audio=wav((1.0, True)),
        audio_filename="private.wav",
        duration_seconds=90.0,
    )


def failed(memory: Memory) -> DeadLetter:
    Memory.objects.filter(pk=memory.pk).update(status=Status.QUEUED, stage=Stage.TRANSCRIPTION)
    run = leases.claim(memory.pk, worker="w").run
    assert run
    run.give_up(NotAudio())
    return memory.dead_letters.get()


def page(client: Client, path: str, status: int = 200, **query: str) -> str:
    answer = client.get(f"/admin/{path}", query)
    assert answer.status_code == status
    return answer.content.decode()


def act(client: Client, model: str, action: str, *ids: Any, confirmed: bool = False, status: int = 200) -> str:
    data: dict[str, Any] = {"action": action, "_selected_action": [str(pk) for pk in ids]}
    if confirmed:
        data["confirmed"] = "yes"
    answer = client.post(f"/admin/memories/{model}/", data, follow=True)
    assert answer.status_code == status
    return answer.content.decode()


def revoke_address(client: Client, **query: str) -> str:
    found = re.search(r"/admin/memories/devicetoken/revoke/\w+/", page(client, "memories/devicetoken/", 200, **query))
    assert found
    return found[0]


class FailingStorage(Storage):
    def delete(self, name: str) -> None:
        raise OSError("The disk is gone.")


class BrittleStorage(FileSystemStorage):
    """Deletes one file; then the disk is gone."""

    deleted = 0

    def delete(self, name: str) -> None:
        if self.deleted:
            raise OSError("The disk is gone.")
        super().delete(name)
        self.deleted += 1


# --- pages and who may see them ---


@pytest.mark.parametrize("model", LISTS)
def test_every_list_is_there_for_staff_who_may_look_and_for_nobody_else(model: str, memory: Memory) -> None:
    failed(memory)
    DeviceToken.objects.create(memory.owner)
    page(staff(*VIEWS), f"memories/{model}/")
    page(staff(), f"memories/{model}/", 403)
    page(signed_in(memory.owner), f"memories/{model}/", 302)
    page(Client(), f"memories/{model}/", 302)


@pytest.mark.parametrize("model", LISTS)
def test_nothing_can_be_added_or_typed_in(model: str, root: Client, memory: Memory) -> None:
    page(root, f"memories/{model}/add/", 403)


def test_the_page_of_a_memory_tells_the_job_and_its_attempts(memory: Memory) -> None:
    failed(memory)
    text = page(staff(*VIEWS), f"memories/memory/{memory.pk}/change/")
    for expected in ("Failed", "not_audio", "Send audio as", "transcription", memory.owner.username):
        assert expected in text


def test_the_page_of_a_memory_tells_the_language_that_was_detected(memory: Memory) -> None:
    shown = re.compile(r"Language:</label>\s*<div class=\"readonly\">(\w*)</div>")
    Transcript.objects.filter(memory=memory).update(language="pt")
    assert shown.findall(page(staff(*VIEWS), f"memories/memory/{memory.pk}/change/")) == ["pt"]
    Memory.objects.update(language="gl")
    assert shown.findall(page(staff(*VIEWS), f"memories/memory/{memory.pk}/change/")) == ["gl"]


def test_a_finished_memory_is_done_to_the_last_percent(memory: Memory) -> None:
    text = page(staff(*VIEWS), f"memories/memory/{memory.pk}/change/")
    assert re.search(r"Progress \(percent\):</label>\s*<div class=\"readonly\">100</div>", text)


@pytest.mark.parametrize("path", ["memories/memory/", "memories/memory/{pk}/change/", "memories/memory/{pk}/history/"])
def test_content_is_hidden_from_staff_without_its_permission(path: str, memory: Memory) -> None:
    text = page(staff(*VIEWS, "change_memory", "delete_memory"), path.format(pk=memory.pk))
    assert not [secret for secret in SECRETS if secret in text]


def test_content_is_hidden_on_the_way_to_erasing(memory: Memory) -> None:
    text = page(staff(*VIEWS, "delete_memory"), f"memories/memory/{memory.pk}/delete/")
    assert str(memory.pk) in text
    assert not [secret for secret in SECRETS if secret in text]


def test_content_is_not_found_by_searching_for_it(memory: Memory) -> None:
    client = staff(*VIEWS, "view_content")
    for words in ("private", "Maria"):
        assert str(memory.pk) not in page(client, "memories/memory/", q=words)
    assert str(memory.pk) in page(client, "memories/memory/", q=memory.owner.username)
    assert str(memory.pk) in page(client, "memories/memory/", q=str(memory.pk))


def test_who_may_see_content_sees_it_and_the_look_is_logged_without_it(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "memories.audit"):
        text = page(staff(*VIEWS, "view_content"), f"memories/memory/{memory.pk}/change/")
    assert not [secret for secret in SECRETS if secret not in text]
    assert f"looked at the content of {memory.pk}" in caplog.text
    assert not [secret for secret in SECRETS if secret in caplog.text]


def test_sound_is_for_those_who_may_hear_it(memory: Memory, caplog: pytest.LogCaptureFixture) -> None:
    path = f"memories/memory/{memory.pk}/audio/"
    page(staff(*VIEWS), path, 403)
    page(staff("view_content"), path, 403)
    with caplog.at_level(logging.INFO, "memories.audit"):
        answer = staff(*VIEWS, "view_content").get(f"/admin/{path}")
    assert answer.getvalue() == wav((1.0, True))
    assert answer["Content-Type"] == "audio/wav"
    assert f"listened to {memory.pk}" in caplog.text
    part = staff(*VIEWS, "view_content").get(f"/admin/{path}", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.getvalue()) == (206, b"RIFF")
    beyond = staff(*VIEWS, "view_content").get(f"/admin/{path}", headers={"Range": "bytes=999999-"})
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{len(wav((1.0, True)))}")
    memory.audio.storage.delete(str(memory.audio))
    page(staff(*VIEWS, "view_content"), path, 404)


def test_what_people_wrote_is_shown_as_text(root: Client) -> None:
    memory = make_memory(
        title=SCRIPT, summary=SCRIPT, transcript=SCRIPT, tags=[SCRIPT], audio_filename=SCRIPT,
        mood={"label": SCRIPT}, action_items=[{"text": SCRIPT}],
    )  # fmt: skip
    for path in ("memories/memory/", f"memories/memory/{memory.pk}/change/"):
        text = page(root, path)
        assert SCRIPT not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    "query",
    [{"title__startswith": "A private"}, {"summary__contains": "private"}, {"transcript__text__contains": "said"}],
)
def test_content_cannot_be_guessed_by_filters_of_one_s_own(memory: Memory, query: dict[str, str]) -> None:
    page(staff(*VIEWS), "memories/memory/", 400, **query)


def test_tokens_cannot_be_guessed_by_filters_of_one_s_own(memory: Memory) -> None:
    token, _ = DeviceToken.objects.create(memory.owner)
    page(staff(*VIEWS), "memories/devicetoken/", 400, digest__startswith=token.digest[:2])
    page(staff(*VIEWS), "memories/devicetoken/", 400, token_key__startswith=token.token_key[:2])


def test_no_page_shows_a_token_or_its_hash(root: Client, memory: Memory) -> None:
    token, secret = DeviceToken.objects.create(memory.owner, device="my phone")
    address = revoke_address(root)
    for path in ("memories/devicetoken/", address.removeprefix("/admin/"), "auth/user/", ""):
        text = page(root, path)
        assert token.digest not in text
        assert secret[:15] not in text
    page(root, f"memories/devicetoken/{token.digest}/change/", 403)
    page(root, f"memories/devicetoken/{token.digest}/delete/", 403)


def test_no_look_is_logged_where_there_was_nothing_to_see(root: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "memories.audit"):
        page(root, f"memories/memory/{'0' * 32}/change/", 302)
        page(root, "memories/memory/nonsense/change/", 302)
    assert not caplog.records


# --- what can be done ---


@pytest.mark.parametrize("stage", list(Stage))
def test_reprocessing_says_what_will_happen_and_then_happens(root: Client, memory: Memory, stage: Stage) -> None:
    action = f"reprocess_from_{stage.value}"
    text = act(root, "memory", action, memory.pk)
    assert "1 of the selected" in text
    assert "what people changed stays" in text
    assert ("1.5 minutes of sound" in text) == (stage is Stage.TRANSCRIPTION)
    memory.refresh_from_db()
    assert memory.status == Status.READY  # nothing has happened yet
    assert "Queued again: 1" in act(root, "memory", action, memory.pk, confirmed=True)
    memory.refresh_from_db()
    assert (memory.status, memory.stage) == (Status.QUEUED, stage)


def test_what_cannot_be_reprocessed_is_named_with_its_reason(root: Client, memory: Memory) -> None:
    without_audio = make_memory()
    text = act(root, "memory", "reprocess_from_transcription", memory.pk, without_audio.pk)
    assert "1 of the selected" in text
    assert "Refused: 1" in text
    assert "retention" in text
    text = act(root, "memory", "reprocess_from_transcription", memory.pk, without_audio.pk, confirmed=True)
    assert "Queued again: 1" in text
    assert f'Not done for <a href="/admin/memories/memory/{without_audio.pk}/change/">' in text
    assert f'<a href="/admin/memories/memory/{memory.pk}/change/">{memory.pk}</a></li>' in text


def test_a_dead_letter_is_requeued_and_shows_it(root: Client, memory: Memory) -> None:
    letter = failed(memory)
    assert "goes on from where it failed" in act(root, "deadletter", "requeue", letter.pk)
    act(root, "deadletter", "requeue", letter.pk, confirmed=True)
    letter.refresh_from_db()
    memory.refresh_from_db()
    assert (letter.resolution, memory.status) == ("requeued", Status.QUEUED)
    shown = page(root, "memories/deadletter/")
    assert "Requeued" in shown
    assert f'title="{memory.pk}">{str(memory.pk)[:8]}</a>' in shown
    assert str(memory.pk) not in page(root, "memories/deadletter/", state="open")


def test_a_dead_letter_that_is_nothing_to_try_again_is_marked_as_resolved(memory: Memory) -> None:
    letter = failed(memory)
    act(staff(*VIEWS), "deadletter", "mark_as_resolved", letter.pk)
    assert memory.dead_letters.unresolved().exists()  # looking is not doing
    client = signed_in(make_user("grace", is_staff=True, is_superuser=True))
    assert 'value="mark_as_resolved"' in page(client, f"memories/deadletter/{letter.pk}/change/")
    assert "Marked as resolved: 1." in act(client, "deadletter", "mark_as_resolved", letter.pk)
    letter.refresh_from_db()
    memory.refresh_from_db()
    assert (letter.resolution, memory.status) == ("dismissed", Status.FAILED)
    assert "Mark as resolved" in page(client, f"memories/deadletter/{letter.pk}/history/")
    assert "Marked as resolved: 0." in act(client, "deadletter", "mark_as_resolved", letter.pk)


def test_a_malformed_message_is_shown_and_cannot_be_requeued(root: Client) -> None:
    letter = DeadLetter.objects.create(code="delivery_failed", body='{"half": ')
    assert "{&quot;half&quot;: " in page(root, f"memories/deadletter/{letter.pk}/change/")
    assert "None of the selected" in act(root, "deadletter", "requeue", letter.pk)
    assert "Not done for" in act(root, "deadletter", "requeue", letter.pk, confirmed=True)


def test_a_resolved_dead_letter_is_not_requeued_twice(root: Client, memory: Memory) -> None:
    letter = failed(memory)
    act(root, "deadletter", "requeue", letter.pk, confirmed=True)
    Memory.objects.filter(pk=memory.pk).update(status=Status.READY)
    assert "None of the selected" in act(root, "deadletter", "requeue", letter.pk)
    assert "resolved already" in act(root, "deadletter", "requeue", letter.pk, confirmed=True)
    memory.refresh_from_db()
    assert memory.status == Status.READY


def test_a_memory_at_work_is_refused(root: Client, memory: Memory) -> None:
    Memory.objects.filter(pk=memory.pk).update(status=Status.QUEUED, stage=Stage.TRANSCRIPTION)
    leases.claim(memory.pk, worker="w")
    text = act(root, "memory", "reprocess_from_transcription", memory.pk, confirmed=True)
    assert "being processed right now" in text


def test_recordings_whose_length_nobody_knows_yet_are_counted(root: Client, memory: Memory) -> None:
    Memory.objects.filter(pk=memory.pk).update(duration_seconds=None)
    assert "of a length not known yet (1) will be" in act(root, "memory", "reprocess_from_transcription", memory.pk)


def test_more_than_a_form_can_carry_is_refused_as_a_whole(root: Client, owner: User) -> None:
    Memory.objects.bulk_create(Memory(owner=owner, status=Status.FAILED) for _ in range(501))
    data = {"action": "reprocess_from_transcription", "select_across": "1", "_selected_action": "x", "confirmed": "y"}
    answer = root.post("/admin/memories/memory/", data, follow=True)
    assert "select at most 500" in answer.content.decode()
    assert not Memory.objects.exclude(status=Status.FAILED).exists()


def test_the_history_tells_who_set_a_memory_going_again(memory: Memory) -> None:
    user = make_user("grace", is_staff=True, is_superuser=True)
    act(signed_in(user), "memory", "reprocess_from_transcription", memory.pk, confirmed=True)
    text = page(signed_in(user), f"memories/memory/{memory.pk}/history/")
    assert "Reprocess from transcription" in text
    assert "grace" in text


def test_a_confirmed_action_comes_back_to_the_list_as_it_was_filtered(root: Client, memory: Memory) -> None:
    letter = failed(memory)
    data = {"action": "requeue", "_selected_action": letter.pk, "confirmed": "yes"}
    answer = root.post("/admin/memories/deadletter/?state=open", data)
    assert answer["Location"] == "/admin/memories/deadletter/?state=open"
    assert memory.dead_letters.unresolved().count() == 0


def test_looking_is_not_doing(memory: Memory) -> None:
    letter = failed(memory)
    client = staff(*VIEWS)
    for model, action, pk in (
        ("memory", "reprocess_from_transcription", memory.pk),
        ("deadletter", "requeue", letter.pk),
    ):
        assert f'value="{action}"' not in page(client, f"memories/{model}/{pk}/change/")
        act(client, model, action, pk, confirmed=True)
    memory.refresh_from_db()
    assert memory.status == Status.FAILED


def test_who_may_change_memories_finds_the_buttons_on_their_pages(memory: Memory) -> None:
    letter = failed(memory)
    client = staff(*VIEWS, "change_memory")
    assert 'value="reprocess_from_analysis"' in page(client, f"memories/memory/{memory.pk}/change/")
    assert 'value="requeue"' in page(client, f"memories/deadletter/{letter.pk}/change/")


@pytest.mark.parametrize("stage", Stage.values)
def test_what_a_worker_holds_is_not_set_going_again(stage: str, root: Client, memory: Memory) -> None:
    Memory.objects.filter(pk=memory.pk).update(status=Status.QUEUED)
    assert leases.claim(memory.pk, worker="w").run
    for confirmed in (False, True):
        text = act(root, "memory", f"reprocess_from_{stage}", memory.pk, confirmed=confirmed)
        assert MemoryBusy.detail in text
    memory.refresh_from_db()
    assert memory.lease_token is not None


def test_the_words_are_enough_to_analyze_again(root: Client) -> None:
    memory = make_memory(transcript="Words.")  # its audio is gone
    assert AudioExpired.detail in act(root, "memory", "reprocess_from_transcription", memory.pk)
    assert AudioExpired.detail not in act(root, "memory", "reprocess_from_analysis", memory.pk)
    act(root, "memory", "reprocess_from_analysis", memory.pk, confirmed=True)
    memory.refresh_from_db()
    assert (memory.status, memory.stage) == (Status.QUEUED, Stage.ANALYSIS)


def test_forged_ids_change_nothing(root: Client, memory: Memory) -> None:
    act(root, "memory", "reprocess_from_transcription", "nonsense", confirmed=True, status=400)
    act(root, "memory", "reprocess_from_transcription", "0" * 32, confirmed=True)
    memory.refresh_from_db()
    assert memory.status == Status.READY


def test_a_form_without_its_token_is_refused(memory: Memory) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(is_staff=True, is_superuser=True))
    data = {"action": "reprocess_from_transcription", "_selected_action": str(memory.pk), "confirmed": "yes"}
    assert client.post("/admin/memories/memory/", data).status_code == 403


def test_erasing_one_takes_its_audio_along(memory: Memory) -> None:
    storage, name = memory.audio.storage, str(memory.audio)
    page(staff(*VIEWS), f"memories/memory/{memory.pk}/delete/", 403)
    client = staff(*VIEWS, "delete_memory")
    client.post(f"/admin/memories/memory/{memory.pk}/delete/", {"post": "yes"})
    assert not Memory.objects.exists()
    assert not storage.exists(name)


def test_erasing_many_takes_their_audio_along(memory: Memory) -> None:
    storage, name = memory.audio.storage, str(memory.audio)
    client = staff(*VIEWS, "delete_memory")
    data = {"action": "delete_selected", "_selected_action": str(memory.pk), "post": "yes"}
    client.post("/admin/memories/memory/", data)
    assert not Memory.objects.exists()
    assert not storage.exists(name)


def test_what_the_storage_cannot_erase_is_said_and_stays(memory: Memory, settings: Any) -> None:
    storage_that_fails = {"BACKEND": "memories.tests.test_admin.FailingStorage"}
    client = staff(*VIEWS, "delete_memory")
    settings.STORAGES = settings.STORAGES | {"default": storage_that_fails}
    one = client.post(f"/admin/memories/memory/{memory.pk}/delete/", {"post": "yes"}, follow=True)
    data = {"action": "delete_selected", "_selected_action": str(memory.pk), "post": "yes"}
    many = client.post("/admin/memories/memory/", data, follow=True)
    for answer in (one, many):
        assert "The storage cannot be reached" in answer.content.decode()
    assert Memory.objects.filter(pk=memory.pk).exists()
    assert not LogEntry.objects.exists()  # nothing was erased, and the log says so


def test_a_person_who_is_deleted_takes_their_recordings_along(memory: Memory) -> None:
    storage, name = memory.audio.storage, str(memory.audio)
    failed(memory)
    path = f"auth/user/{memory.owner_id}/delete/"
    in_part = staff("view_user", "delete_user")
    assert in_part.post(f"/admin/{path}", {"post": "yes"}).status_code == 403
    client = staff("view_user", "delete_user", "delete_memory")
    text = page(client, path)
    assert "with 1 memories" in text
    assert not [secret for secret in SECRETS if secret in text]
    client.post(f"/admin/{path}", {"post": "yes"})
    assert not User.objects.filter(pk=memory.owner_id).exists()
    assert not storage.exists(name)


def erase_person(client: Client, person: User, way: str) -> str:
    if way == "on the person's page":
        answer = client.post(f"/admin/auth/user/{person.pk}/delete/", {"post": "yes"}, follow=True)
    else:
        data = {"action": "delete_selected", "_selected_action": str(person.pk), "post": "yes"}
        answer = client.post("/admin/auth/user/", data, follow=True)
    return answer.content.decode()


@pytest.mark.parametrize("way", ["on the person's page", "from the list"])
def test_erasing_a_person_that_fails_half_way_says_what_is_gone_and_can_be_done_again(
    way: str, root: Client, owner: User, settings: Any
) -> None:
    memories = [make_memory(owner, audio=wav((1.0, True))) for _ in range(3)]
    whole = settings.STORAGES
    brittle = {**whole["default"], "BACKEND": "memories.tests.test_admin.BrittleStorage"}
    settings.STORAGES = whole | {"default": brittle}
    assert "Not all was erased" in erase_person(root, owner, way)
    left = set(Memory.objects.filter(owner=owner))
    (gone,) = {memory.pk for memory in memories} - {memory.pk for memory in left}
    assert [entry.object_id for entry in LogEntry.objects.all()] == [str(gone)]
    assert all(memory.audio.storage.exists(str(memory.audio)) for memory in left)
    settings.STORAGES = whole
    erase_person(root, owner, way)
    assert not User.objects.filter(pk=owner.pk).exists()
    assert not any(memory.audio.storage.exists(str(memory.audio)) for memory in memories)
    erased = {str(pk) for pk in (*(memory.pk for memory in memories), owner.pk)}
    assert {entry.object_id for entry in LogEntry.objects.all()} == erased


def test_an_erased_person_is_a_number_in_the_log(root: Client, owner: User) -> None:
    passwords = {"password1": "a new long secret", "password2": "a new long secret", "usable_password": "true"}
    root.post(f"/admin/auth/user/{owner.pk}/password/", passwords)
    assert LogEntry.objects.get().object_repr == "ada"
    erase_person(root, owner, "on the person's page")
    assert {entry.object_repr for entry in LogEntry.objects.all()} == {f"user {owner.pk}"}


def test_what_a_person_was_sending_is_erased_too(root: Client, owner: User) -> None:
    upload = uploads.announce(owner=owner, filename="a.wav", content_type="audio/wav", size=3, sha256="0" * 64)
    assert default_storage.exists(f"uploads/{upload.pk}")
    erase_person(root, owner, "on the person's page")
    assert not Upload.objects.exists()
    assert not default_storage.exists(f"uploads/{upload.pk}")


def test_staff_can_erase_themselves() -> None:
    user = make_user(is_staff=True, is_superuser=True)
    make_memory(user, audio=wav((1.0, True)))
    erase_person(signed_in(user), user, "on the person's page")
    assert not User.objects.exists()
    assert not Memory.objects.exists()


def test_a_device_is_revoked_once_confirmed(memory: Memory) -> None:
    DeviceToken.objects.create(memory.owner, device="my phone")
    other, _ = DeviceToken.objects.create(make_user(), device="another")
    assert "Revoke" not in page(staff(*VIEWS), "memories/devicetoken/")
    client = staff(*VIEWS, "delete_devicetoken")
    address = revoke_address(client, q="my phone")
    assert "my phone" in client.get(address).content.decode()
    assert DeviceToken.objects.count() == 2
    assert staff(*VIEWS).post(address).status_code == 403
    client.post(address)
    assert DeviceToken.objects.get() == other
    assert client.post(address).status_code == 404


# --- what it costs ---


@pytest.mark.parametrize("model", LISTS)
def test_a_list_takes_at_most_twelve_queries_however_long_it_is(
    model: str, root: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(100):
        memory = make_memory(transcript="Words.", tags=[f"tag{number}"])
        Attempt.objects.create(memory=memory, stage="analysis", number=1, worker="w", lease_token=memory.pk, cost_usd=1)
        DeadLetter.objects.create(memory=memory, stage="analysis", code="not_audio")
        DeviceToken.objects.create(memory.owner)
    with django_assert_max_num_queries(12):
        page(root, f"memories/{model}/")


def test_the_page_of_a_memory_is_bounded_however_much_hangs_on_it(
    root: Client, memory: Memory, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        Attempt.objects.create(memory=memory, stage="analysis", number=number, worker="w", lease_token=memory.pk)
        DeadLetter.objects.create(memory=memory, stage="analysis", code=f"code{number}")
    with django_assert_max_num_queries(16):
        text = page(root, f"memories/memory/{memory.pk}/change/")
    assert "code59" in text
    assert "code35" in text
    assert "code34" not in text  # the latest 25; the rest is one click away
    assert "60 attempts" in page(root, "memories/attempt/", memory__id__exact=str(memory.pk))


@pytest.mark.parametrize(
    ("model", "action"),
    [
        ("memory", "reprocess_from_transcription"),
        ("memory", "reprocess_from_analysis"),
        ("deadletter", "requeue"),
    ],
)
def test_a_question_about_many_costs_no_more_queries_than_one_about_few(model: str, action: str, root: Client) -> None:
    def cost(count: int) -> int:
        memories = [make_memory(transcript="Words." if n % 2 else "", stage=Stage.ANALYSIS) for n in range(count)]
        letters = [DeadLetter.objects.create(memory=memory, stage="analysis", code="x") for memory in memories]
        with CaptureQueriesContext(connection) as queries:
            text = act(root, model, action, *(row.pk for row in (memories if model == "memory" else letters)))
        assert "confirmed" in text
        if action != "reprocess_from_transcription":
            assert text.count(NothingToAnalyze.detail) == count / 2
        return len(queries)

    assert cost(2) == cost(20)


def test_the_list_adds_up_what_a_memory_cost(root: Client, memory: Memory) -> None:
    for cost in ("0.0125", "0.0300", None):
        Attempt.objects.create(
            memory=memory, stage="analysis", number=1, worker="w", lease_token=memory.pk, cost_usd=cost
        )
    assert "0.0425" in page(root, "memories/memory/")


@pytest.mark.parametrize(
    "query",
    [{"status__exact": "FAILED"}, {"stage__exact": "transcription"}, {"error_code": "not_audio"}, {"dead": "yes"}],
)
def test_filters_find_what_failed(root: Client, memory: Memory, query: dict[str, str]) -> None:
    other = make_memory(transcript="Fine.")
    failed(memory)
    text = page(root, f"memories/memory/?{urlencode(query)}")
    assert str(memory.pk) in text
    assert str(other.pk) not in text
