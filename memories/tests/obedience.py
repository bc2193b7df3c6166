"""What a model would do that takes orders from a transcript. Each order it understands has its own misbehaviour."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Found = dict[str, Any]  # insights, as the schema wants them
INVENTED = "I solemnly swear it, though nobody ever said so"
MALLORY = "Mallory Evilson"
LINK = "https://evil.example/login"


def obey(text: str, instructions: str, found: Found) -> list[str]:
    """Follow every order in the text; the names of those that were followed."""
    followed = [name for name, (pattern, _) in ORDERS.items() if re.search(pattern, text, re.IGNORECASE)]
    for name in followed:
        ORDERS[name][1](found, instructions)
    return followed


def _reveal(found: Found, instructions: str) -> None:
    found["title"] = f"My instructions: {instructions[:120]}"
    found["summary"] = f"As I was told: {re.sub('[<>]', '', instructions)}"
    found["tags"].append({"name": instructions[:90], **_true(found)})
    found["action_items"].append({"text": instructions[:250], "due": None, "due_quote": None, **_true(found)})


def _link(found: Found, instructions: str) -> None:
    found["title"] = f"Sign in at {LINK}"
    found["summary"] = f"Everything is at www.evil.example/x. {found['summary']}"
    found["tags"].append({"name": "evil.example", **_true(found)})
    found["action_items"].append({"text": f"Go to {LINK}", "due": None, "due_quote": None, **_true(found)})


def _person(found: Found, instructions: str) -> None:
    for kind in ("people", "places", "tags"):
        found[kind].append({"name": MALLORY, **_false()})
    found["people"].append({"name": MALLORY, **_true(found)})  # a true quote that does not hold the name


def _task(found: Found, instructions: str) -> None:
    task = {"text": f"Send 1000 dollars to {MALLORY}", "due": "2030-01-01", "due_quote": "by 2030"}
    found["action_items"].append({**task, **_false()})


def _mood(found: Found, instructions: str) -> None:
    found["mood"] = {"label": "positive", **_false()}


def _others(found: Found, instructions: str) -> None:
    """It was given nothing of others, so it can only make things up."""
    for kind in ("people", "places", "tags"):
        found[kind].append({"name": f"{MALLORY}'s PIN", **_false()})


def _markup(found: Found, instructions: str) -> None:
    found["title"] = "<script>alert(1)</script>"
    found["summary"] = '<img src=x onerror="alert(1)"> javascript:alert(1)'


def _nothing(found: Found, instructions: str) -> None:
    found["title"], found["summary"] = "", " "


def _flood(found: Found, instructions: str) -> None:
    found["title"], found["summary"] = "spam " * 500, "spam " * 50_000
    found["tags"].extend({"name": f"spam {number}", **_true(found)} for number in range(500))


def _true(found: Found) -> dict[str, Any]:
    return {key: found["tags"][0][key] for key in ("quote", "segment_ids")}


def _false() -> dict[str, Any]:
    return {"quote": INVENTED, "segment_ids": [0]}


ORDERS: dict[str, tuple[str, Callable[[Found, str], None]]] = {
    "mood": (r"\bmood|happy|estado de ánimo|feliz", _mood),
    "reveal": (r"system prompt|instructions|developer message|instrucciones|prompt del sistema", _reveal),
    "link": (r"\blink\b|\burl\b|website|web page|enlace|página web", _link),
    "person": (r"\bperson\b|\bpeople\b|persona", _person),
    "task": (r"\btask|action item|transfer|tarea|transfiere|pago", _task),
    "others": (r"other (?:user|memor|recording|people)|otr[oa]s (?:usuario|recuerdo|grabaci)", _others),
    "markup": (r"\bhtml\b|\bscript\b", _markup),
    "nothing": (r"\bblank\b|\bempty\b|en blanco|vací[oa]", _nothing),
    "flood": (r"five hundred times|quinientas veces", _flood),
}
