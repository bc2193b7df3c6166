"""The form in which a model must answer. No defaults: they would reach the schema, and be refused.

Pydantic comes with the openai SDK; like it, this module is imported where it is used.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Quoted(BaseModel):
    quote: str
    segment_ids: list[int]


class Named(Quoted):
    name: str


class Mood(Quoted):
    label: Literal["positive", "neutral", "negative", "mixed"]


class Action(Quoted):
    text: str
    due: str | None
    due_quote: str | None


class Overview(BaseModel):
    title: str
    summary: str


class Insights(Overview):
    tags: list[Named]
    people: list[Named]
    places: list[Named]
    mood: Mood | None
    action_items: list[Action]
