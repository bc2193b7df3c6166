"""What a month of the service costs: `script/bill`. Computed from the resources of a Terraform plan (deploy/usage.py)
and a dated list of AWS's prices (deploy/prices.toml). What OpenAI takes is told apart.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from deploy import prices
from deploy.prices import Line, Prices
from deploy.usage import Month, Resource, UnknownResource, Usage, resources, usage
from memories.openai_api import minute_price, token_price

PLANS = Path(__file__).with_name("plans")
MEMORIES = (300, 10_000)  # a month
MODELS = ("gpt-transcribe", "gpt-5.4-mini")  # the defaults of config/settings.py
# What the bill needs of a resource; the rest of a plan is not recorded.
RECORDED = {
    "allocated_storage",
    "architectures",
    "associate_public_ip_address",
    "ephemeral_storage",
    "function_name",
    "instance_class",
    "instance_type",
    "memory_size",
    "metric_query",
    "multi_az",
    "policy",
    "publicly_accessible",
    "root_block_device",
    "rule",
    "tier",
    "vpc_endpoint_type",
}


@dataclass(frozen=True, slots=True)
class Charge:
    line: Line
    quantity: Decimal
    first_year: Decimal  # USD, on the classic free tier
    list_price: Decimal  # USD, with nothing free but what is always free


def bill(used: Usage, list_: Prices) -> list[Charge]:
    if unpriced := sorted(used.keys() - list_.lines.keys()):
        raise UnknownResource(f"deploy/prices.toml has no price for {', '.join(unpriced)}.")
    lines = [list_.lines[name] for name in sorted(used)]
    year, always = (_charged(lines, used, first_year=first_year) for first_year in (True, False))
    return [Charge(line, used[line.name], year[line.name], always[line.name]) for line in lines]


def _charged(lines: Sequence[Line], used: Usage, *, first_year: bool) -> dict[str, Decimal]:
    """USD by line. What a pool has free goes to its dearest line first."""
    free: dict[str, Decimal] = {}
    for line in lines:
        free[line.pool] = max(
            free.get(line.pool, Decimal(0)), line.always_free + (line.first_year if first_year else 0)
        )
    charged = {}
    for line in sorted(lines, key=lambda line: line.usd, reverse=True):
        given = min(used[line.name], free[line.pool])
        free[line.pool] -= given
        charged[line.name] = (used[line.name] - given) * line.usd
    return charged


@dataclass(frozen=True, slots=True)
class Totals:
    first_year: Decimal
    list_price: Decimal


def totals(charges: Sequence[Charge]) -> Totals:
    return Totals(sum((c.first_year for c in charges), Decimal(0)), sum((c.list_price for c in charges), Decimal(0)))


def openai_usd(memories: int, list_: Prices) -> Decimal:
    """What OpenAI takes in a month, with the default models; it is paid to OpenAI."""
    transcription, analysis = minute_price(MODELS[0]), token_price(MODELS[1])
    if transcription is None or analysis is None:
        raise UnknownResource(f"memories/openai_api.py has no price for {' or '.join(MODELS)}.")
    tokens = (int(list_.assumed[f"analysis_{way}_tokens"]) for way in ("input", "output"))
    return memories * (list_.assumed["minutes"] * transcription + analysis.cost(*tokens))


# --- what is printed -----------------------------------------------------------------------------------------------


def cents(usd: Decimal) -> str:
    return str(usd.quantize(Decimal("0.01"), ROUND_HALF_UP))


def report(plans: Mapping[str, Sequence[Resource]], counts: Sequence[int], list_: Prices) -> Iterator[str]:
    yield f"AWS, USD a month, list prices of {list_.region} as of {list_.as_of}"
    yield ""
    yield from summary(plans, counts, list_)
    for count in counts:
        for name, planned in plans.items():
            yield ""
            yield f"{name}, {count} memories"
            yield ""
            yield from details(_bill(planned, count, list_))


def summary(plans: Mapping[str, Sequence[Resource]], counts: Sequence[int], list_: Prices) -> Iterator[str]:
    yield f"{'':14}{'memories':>10}{'free year':>12}{'after it':>12}{'credits last':>15}{'OpenAI, apart':>16}"
    for name, planned in plans.items():
        for count in counts:
            total = totals(_bill(planned, count, list_))
            last = f"{lasting(total.list_price, list_)} months"
            row = f"{name:14}{count:>10}{cents(total.first_year):>12}{cents(total.list_price):>12}{last:>15}"
            yield f"{row}{cents(openai_usd(count, list_)):>16}"


def lasting(usd: Decimal, list_: Prices) -> str:
    """Months that the credits of an account last, at most until they lapse."""
    return str(min(Decimal(list_.credit_months), list_.credit_usd / usd).quantize(Decimal("0.1")))


def details(charges: Sequence[Charge]) -> Iterator[str]:
    yield f"{'':22}{'used':>14} {'':10}{'free year':>12}{'after it':>12}"
    for charge in charges:
        used = f"{charge.quantity:,.2f}".rstrip("0").rstrip(".")
        row = f"{charge.line.name:22}{used:>14} {charge.line.unit:10}"
        yield f"{row}{charge.first_year:>12.4f}{charge.list_price:>12.4f}"
    total = totals(charges)
    yield f"{'':47}{cents(total.first_year):>12}{cents(total.list_price):>12}"


def _bill(planned: Sequence[Resource], memories: int, list_: Prices) -> list[Charge]:
    return bill(usage(Month(memories, list_.assumed, planned)), list_)


# --- plans ---------------------------------------------------------------------------------------------------------


def recorded() -> dict[str, list[Resource]]:
    """The plans of each way to run the API, kept in deploy/plans."""
    return {
        file.stem: resources(json.loads(file.read_text()))
        for file in sorted(PLANS.glob("*.json"), key=lambda file: file.stem)
    }


def trimmed(planned: Sequence[Resource]) -> str:
    """A plan, as JSON, with nothing in it but what the bill needs: a line for each resource."""
    lines = [json.dumps(_trimmed(resource)) for resource in sorted(planned, key=lambda resource: resource.address)]
    return "\n".join(['{"planned_values": {"root_module": {"resources": [', ",\n".join(lines), "]}}}\n"])


def _trimmed(resource: Resource) -> dict[str, Any]:
    values = {key: value for key, value in sorted(resource.values.items()) if key in RECORDED and value is not None}
    return {"address": resource.address, "type": resource.type, "values": values}


# --- the command ---------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        list_ = prices.load()
        plans = recorded()
        if options.plan:
            planned = read(options.plan)
            plans = {options.plan.stem: planned}
            if options.record:
                options.record.write_text(trimmed(planned))
        lines = summary(plans, options.memories, list_) if options.summary else report(plans, options.memories, list_)
        print("\n".join(lines))  # noqa: T201 (that is what it is for)
    except (ValueError, OSError, KeyError) as error:
        reason = f"The plan has no {error}." if isinstance(error, KeyError) else str(error)
        print(f"script/bill: {reason}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def read(plan: Path) -> list[Resource]:
    """ValueError for what is no plan."""
    try:
        return resources(json.loads(plan.read_text()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{plan} is not what `terraform show -json` prints of a saved plan.") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/bill",
        description="What a month costs on AWS, line by line: in the classic free year, after it, and with credits.",
        epilog="example: terraform show -json plan > plan.json && script/bill --plan plan.json --memories 1000",
    )
    parser.add_argument("--plan", type=Path, help="`terraform show -json` of a saved plan; else those of deploy/plans")
    parser.add_argument("--memories", type=_count, nargs="+", default=list(MEMORIES), help="recordings a month")
    parser.add_argument("--summary", action="store_true", help="the totals only")
    parser.add_argument("--record", type=Path, help="with --plan: also write what the bill needs of it to this file")
    return parser


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of recordings such as 300")
    return int(text)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` has read enough: that is no error
    sys.exit(main())
