"""Environment variables by their type; one that cannot be read is named, with what it takes."""

from __future__ import annotations

import math
import os
import warnings
from collections import ChainMap
from collections.abc import Callable
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from config import secrets

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
    """environ alone reads "1s" as the number 1 and "perhaps" as false, and does not say which variable is wrong; it
    takes "$word" for the name of another variable, and a password may begin like that.
    """

    def read_secrets(self, path: str, *, region: str, endpoint_url: str | None) -> None:
        """Take what the environment does not say from the parameters under `path`, past the environment itself: nothing
        that prints it, and no child, sees them."""
        missing = [name for name in secrets.SECRETS if name not in self]
        found = secrets.read(path, missing, region=region, endpoint_url=endpoint_url)
        self.ENVIRON = ChainMap(os.environ, found)

    def get_value(self, var: str, cast: Any = None, *args: Any, **kwargs: Any) -> Any:
        if cast is str and var in self:
            return self.ENVIRON[var]
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
