"""Logging in, being known, logging out."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIClient

from memories.api.problems import PROBLEMS
from memories.models import DeviceToken
from memories.tests.factories import make_client, make_user

URL = "/api/v1/auth/token"
PASSWORD = "a long enough secret"

pytestmark = pytest.mark.django_db


class CountingHasher(MD5PasswordHasher):
    algorithm = "counting"
    hashed = 0

    def encode(self, password: str, salt: str) -> str:
        CountingHasher.hashed += 1
        return super().encode(password, salt)


def log_in(username: str = "ada", password: str = PASSWORD, **kwargs: Any) -> Any:
    body = {"username": username, "password": password, "device": "phone"}
    return APIClient(**kwargs).post(URL, body)


def get_memories(authorization: str) -> Any:
    return APIClient().get("/api/v1/memories", headers={"Authorization": authorization})


def test_a_password_buys_a_token_that_opens_the_api(owner: User) -> None:
    response = log_in()
    assert response.status_code == 201
    assert response.json().keys() == {"token", "expires_at"}
    assert response["Cache-Control"] == "no-store"
    assert get_memories(f"Bearer {response.json()['token']}").status_code == 200


def test_only_a_hash_of_the_token_is_kept(owner: User) -> None:
    secret = log_in().json()["token"]
    row = DeviceToken.objects.values().get()
    assert secret not in str(row)
    assert row["device"] == "phone"


def test_a_token_expires_when_its_answer_says_so(owner: User, settings: Any) -> None:
    response = log_in()
    token = DeviceToken.objects.get()
    assert response.json()["expires_at"] == token.expiry.isoformat().replace("+00:00", "Z")
    assert token.expiry > timezone.now() + timedelta(days=settings.MEMORIES_TOKEN_DAYS - 1)
    DeviceToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    refused = get_memories(f"Bearer {response.json()['token']}")
    assert (refused.status_code, refused.json()["code"]) == (401, "authentication_failed")


def test_an_unknown_name_a_wrong_password_and_an_inactive_user_get_the_same_answer(owner: User) -> None:
    make_user("gone", is_active=False)
    answers = [log_in("nobody", "x"), log_in("ada", "x"), log_in("gone", "a password")]
    assert [response.status_code for response in answers] == [401, 401, 401]
    assert answers[0].json()["code"] == "bad_credentials"
    assert answers[0].json()["next_step"] == "Check the user name and the password."
    assert len({response.content for response in answers}) == 1


def test_an_unknown_name_costs_as_much_work_as_a_wrong_password(owner: User, settings: Any) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    owner.set_password(PASSWORD)
    owner.save()
    work = []
    for name in ("ada", "nobody"):
        CountingHasher.hashed = 0
        log_in(name, "wrong")
        work.append(CountingHasher.hashed)
    assert work == [1, 1]


def test_a_token_of_a_user_who_was_deactivated_opens_nothing(owner: User) -> None:
    secret = log_in().json()["token"]
    User.objects.update(is_active=False)
    assert get_memories(f"Bearer {secret}").status_code == 401


def test_logging_out_revokes_this_token_and_no_other(owner: User) -> None:
    phone, browser = log_in().json()["token"], log_in().json()["token"]
    response = APIClient().delete(URL, headers={"Authorization": f"Bearer {phone}"})
    assert (response.status_code, response.content) == (204, b"")
    assert get_memories(f"Bearer {phone}").status_code == 401
    assert get_memories(f"Bearer {browser}").status_code == 200


def test_who_has_no_token_has_none_to_revoke(owner: User) -> None:
    client = APIClient()
    client.force_login(owner)
    assert client.delete(URL).status_code == 401
    assert APIClient().delete(URL).status_code == 401


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer a b",
        "Bearer \xff\xfe",
        "Bearer \u2603",
        "Bearer \x00\x00",
        "Bearer ' OR 1=1 --",
        "Bearer " + "a" * 100_000,
        "Token abc",
        "Basic YWRhOmE=",
        "\x00",
    ],
)
def test_garbage_for_a_token_is_refused_and_breaks_nothing(authorization: str) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=authorization)
    response = client.get("/api/v1/memories")
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    problem = response.json()
    if problem["code"] != "not_authenticated":  # it is no bearer token at all
        assert problem["code"] == "authentication_failed"
        assert problem["detail"] == PROBLEMS[AuthenticationFailed].detail


def test_a_token_is_known_by_one_query(owner: User, django_assert_num_queries: Any) -> None:
    for _ in range(5):  # the user's other devices cost nothing
        DeviceToken.objects.create(user=owner)
    client = make_client(owner)
    with django_assert_num_queries(1):
        client.get("/api/v1/auth/token")  # no such method: authentication is all that happens


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"username", "password"}),
        ({"username": "ada", "password": "x", "admin": True}, {"admin"}),
        ({"username": "a\x00", "password": "x"}, {"username"}),
        ({"username": "\ud800", "password": "x"}, {"username"}),
        ({"username": "ada", "password": "x", "\ud800": 1}, {"\ud800"}),
        ({"username": ["ada"], "password": {"x": 1}}, {"username", "password"}),
        ({"username": "ada", "password": "x", "device": "d" * 101}, {"device"}),
    ],
)
def test_a_login_that_is_not_right_names_its_fields(body: dict[str, Any], fields: set[str]) -> None:
    response = APIClient().post(URL, json.dumps(body), content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, "validation_failed")
    assert response.json()["errors"].keys() == fields


@pytest.mark.parametrize("content", ["", "{", "[]", '"ada"', "null", "\ud7ff{"])
def test_a_login_that_is_no_object_is_refused(content: str) -> None:
    response = APIClient().post(URL, content, content_type="application/json")
    assert response.status_code == 400


def test_many_tries_for_one_name_are_stopped_wherever_they_come_from(owner: User) -> None:
    answers = [log_in("Ada" if i % 2 else "ada", "wrong", REMOTE_ADDR=f"10.0.0.{i}") for i in range(11)]
    assert [response.status_code for response in answers] == [401] * 10 + [429]
    assert answers[-1].json()["code"] == "too_many_requests"
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert log_in("ada", REMOTE_ADDR="10.0.0.99").status_code == 429


@pytest.mark.parametrize("spelled", [" ada", "ada ", "\tADA\n", "\u3000ada", "\uff41da"])
def test_a_name_is_the_same_however_it_is_spelled(owner: User, spelled: str) -> None:
    for i in range(10):
        assert log_in("ada", "wrong", REMOTE_ADDR=f"10.0.0.{i}").status_code == 401
    assert log_in(spelled, REMOTE_ADDR="10.0.0.99").status_code == 429


def test_many_other_names_do_not_make_the_service_forget_the_tries_for_one(owner: User) -> None:
    for i in range(10):
        log_in("ada", "wrong", REMOTE_ADDR=f"10.0.0.{i}")
    for i in range(1_000):
        cache.set(f"somebody-else-{i}", i)
    assert log_in("ada", REMOTE_ADDR="10.0.0.99").status_code == 429


def test_many_tries_from_one_address_are_stopped_whatever_the_name(owner: User) -> None:
    answers = [log_in(f"user{i}", "wrong") for i in range(11)]
    assert [response.status_code for response in answers] == [401] * 10 + [429]
    assert log_in("ada", REMOTE_ADDR="10.0.0.2").status_code == 201


def test_an_address_that_the_client_makes_up_does_not_get_round_the_limit(owner: User) -> None:
    answers = [log_in(f"user{i}", "wrong", HTTP_X_FORWARDED_FOR=f"10.0.0.{i}") for i in range(11)]
    assert answers[-1].status_code == 429


# --- the admin's form counts with them ---


def log_into_admin(username: str = "ada", password: str = PASSWORD, **kwargs: Any) -> Any:
    form = {"username": username, "password": password, "next": "/admin/"}
    return Client(**kwargs).post("/admin/login/", form)


def test_staff_log_in_by_the_form(owner: User) -> None:
    User.objects.update(is_staff=True)
    assert Client().get("/admin/login/").status_code == 200
    answer = log_into_admin()
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_tries_in_the_form_are_stopped_for_a_name_and_told_so(owner: User) -> None:
    answers = [log_into_admin(" ADA", "wrong", REMOTE_ADDR=f"10.0.0.{i}") for i in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert "Too many tries to log in" in answers[-1].content.decode()
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert log_into_admin(REMOTE_ADDR="10.0.0.99").status_code == 429


def test_tries_in_the_form_are_stopped_for_an_address(owner: User) -> None:
    assert [log_into_admin(f"user{i}", "wrong").status_code for i in range(11)] == [200] * 10 + [429]


def test_tries_in_the_form_and_over_the_api_count_together(owner: User) -> None:
    for i in range(5):
        log_in("ada", "wrong", REMOTE_ADDR=f"10.0.0.{i}")
        log_into_admin("ada", "wrong", REMOTE_ADDR=f"10.0.1.{i}")
    assert log_in("ada", REMOTE_ADDR="10.0.0.99").status_code == 429
    assert log_into_admin(REMOTE_ADDR="10.0.1.99").status_code == 429


def test_looking_at_the_form_is_no_try(owner: User) -> None:
    assert [Client().get("/admin/login/").status_code for _ in range(11)] == [200] * 11
