"""The price list of AWS (prices.toml), as the bill uses it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the bill: what one unit costs, in USD, and how many are free in a month."""

    name: str
    unit: str
    usd: Decimal
    always_free: Decimal
    first_year: Decimal  # on the classic free tier
    pool: str  # lines of one pool share what is free
    source: str


@dataclass(frozen=True, slots=True)
class Prices:
    as_of: date
    region: str
    credit_usd: Decimal
    credit_months: int
    lines: Mapping[str, Line]
    assumed: Mapping[str, Decimal]


def load(file: Path = FILE) -> Prices:
    """ValueError for what is no price list."""
    try:
        return _prices(tomllib.loads(file.read_text(), parse_float=Decimal))
    except KeyError as error:
        raise ValueError(f"{file.name} has no {error}.") from None
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{file.name} is not a price list: {error}") from None


def _prices(data: Mapping[str, Any]) -> Prices:
    return Prices(
        as_of=data["as_of"],
        region=data["region"],
        credit_usd=Decimal(data["credits"]["usd"]),
        credit_months=data["credits"]["months"],
        lines={name: _line(name, entry) for name, entry in data["lines"].items()},
        assumed={name: Decimal(value) for name, value in data["assumed"].items()},
    )


def _line(name: str, entry: Mapping[str, str | Decimal]) -> Line:
    return Line(
        name=name,
        unit=str(entry["unit"]),
        usd=Decimal(entry["usd"]),
        always_free=Decimal(entry.get("always_free", 0)),
        first_year=Decimal(entry.get("first_year", 0)),
        pool=str(entry.get("pool", name)),
        source=str(entry["source"]),
    )
