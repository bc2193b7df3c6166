"""The docs: links that lead somewhere, commands that are there, two languages that say the same, computed bills."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import get_commands

from deploy import bill, prices
from deploy.usage import Month, usage

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SPANISH = DOCS / "es"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
TRANSLATED = sorted([DOCS / "deployment.md", DOCS / "operations.md", *DOCS.glob("decisions/*.md")])

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) (.*)$")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`]+)`")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = [match[2] for line in prose(page).splitlines() if (match := HEADING.match(line))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@dataclass(frozen=True)
class Section:
    """What must be the same in both languages."""

    level: int
    code: Counter[str]
    links: Counter[str]
    rows: list[int]  # cells of each row of its tables
    items: int


def section(text: str) -> Section:
    rows = re.findall(r"^\|.*$", text, re.MULTILINE)
    return Section(
        level=len(text) - len(text.lstrip("#")),
        code=Counter(" ".join(code.split()) for code in CODE.findall(text)),
        links=Counter(Path(target.partition("#")[0]).name for target in LINK.findall(text)),
        rows=[re.sub(r"`[^`]*`", "", row).count("|") for row in rows],
        items=len(re.findall(r"^ *(?:-|\d+\.) ", text, re.MULTILINE)),
    )


def sections(page: Path) -> list[Section]:
    return [section(text) for text in re.split(r"^(?=#)", prose(page), flags=re.MULTILINE)]


# --- links and commands ---


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{target} leads nowhere"
        assert not anchor or anchor in anchors(there), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_script_and_each_command_that_is_named_is_there(page: Path) -> None:
    text = page.read_text()
    for script in re.findall(r"(?<![\w/.])script/[\w.-]*\w", text):
        assert (ROOT / script).exists(), f"there is no {script}"
    for command in re.findall(r"manage\.py ([a-z_]+)", text):
        assert command in get_commands(), f"manage.py has no command {command}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_file_of_ours_that_is_named_is_there(page: Path) -> None:
    for path in re.findall(r"`((?:memories|config|deploy|docs|bench|\.github)/[\w./-]+\.\w+)`", page.read_text()):
        assert (ROOT / path).exists(), f"there is no {path}"


# --- two languages ---


def spanish(page: Path) -> Path:
    return SPANISH / page.relative_to(DOCS)


def test_every_page_has_its_translation_and_no_translation_is_left_over() -> None:
    assert sorted(SPANISH.rglob("*.md")) == sorted(spanish(page) for page in TRANSLATED)


@pytest.mark.parametrize("page", TRANSLATED, ids=name)
def test_both_languages_have_the_same_commands_to_copy(page: Path) -> None:
    assert FENCE.findall(spanish(page).read_text()) == FENCE.findall(page.read_text())


@pytest.mark.parametrize("page", TRANSLATED, ids=name)
def test_both_languages_have_the_same_sections_with_the_same_names_links_and_tables(page: Path) -> None:
    theirs, ours = sections(spanish(page)), sections(page)
    assert [each.level for each in theirs] == [each.level for each in ours]
    for number, (translated, original) in enumerate(zip(theirs, ours, strict=True)):
        assert translated == original, f"section {number} differs"


# --- what is computed, or made by Terraform ---


def test_the_bill_in_the_docs_is_the_one_that_is_computed() -> None:
    computed = "\n".join(bill.summary(bill.recorded(), bill.MEMORIES, prices.load()))
    assert f"```text\n{computed}\n```" in (DOCS / "deployment.md").read_text(), (
        "paste what script/bill --summary prints"
    )


def test_the_first_page_tells_the_same_cost() -> None:
    planned = bill.recorded()["ec2"]
    month = bill.totals(bill.bill(usage(Month(300, prices.load().assumed, planned)), prices.load()))
    assert f"about {month.list_price:.0f} USD a month" in (ROOT / "README.md").read_text()


def test_each_alarm_has_its_first_five_minutes() -> None:
    planned = {resource.address for plan in bill.recorded().values() for resource in plan}
    made = {match[1] for address in planned if (match := re.match(r'aws_cloudwatch_metric_alarm.*\["(.*)"\]', address))}
    told = re.findall(r"^\| `memories-([a-z0-9-]+)` \|", (DOCS / "operations.md").read_text(), re.MULTILINE)
    assert sorted(told) == sorted(made)
    assert made
