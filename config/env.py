"""Environment variables by their type; one that cannot be read is named, with what it takes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"true", "yes", "on", "y", "ok", "1"}, {"false", "no", "off", "n", "0", ""}
ENGINES = {"django.db.backends.postgresql", "django.db.backends.sqlite3"}


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _truth(text: str) -> bool:
    if text.lower() not in TRUE | FALSE:
        raise ValueError
    return text.lower() in TRUE


PARSERS: dict[Any, tuple[Callable[[str], Any], str]] = {
    int: (int, "a whole number"),
    float: (_number, "a number"),
    bool: (_truth, "true or false"),
}


class Env(environ.Env):  # type: ignore[misc]  # environ has no types
    """environ alone reads "1s" as the number 1 and "perhaps" as false, and does not say which variable is wrong."""

    def get_value(self, var: str, cast: Any = None, *args: Any, **kwargs: Any) -> Any:
        if cast not in PARSERS or var not in self:
            return super().get_value(var, cast, *args, **kwargs)
        parse, takes = PARSERS[cast]
        text = self.ENVIRON[var].strip()
        try:
            return parse(text)
        except ValueError:
            raise ImproperlyConfigured(f"{var} is {text!r}; use {takes}.") from None

    def db_url(self, var: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            with warnings.catch_warnings(action="ignore"):  # they show the password
                config: dict[str, Any] = super().db_url(var, *args, **kwargs)
        except (ValueError, ImproperlyConfigured):
            config = {}
        if config.get("ENGINE") not in ENGINES:  # not shown: a password is in it
            raise ImproperlyConfigured(
                f"{var} cannot be read; use postgres://USER:PASSWORD@HOST:5432/NAME or sqlite:///PATH."
            )
        return config
