"""Migrations run before the new code does: what locks a table, or breaks the code that still runs, is refused."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from memories.tests.processes import OFFLINE, ROOT, build_house, postgres

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("migration_safety")]  # one PostgreSQL for all

NUMBER = "models.IntegerField(null=True)"
INDEX = "models.Index(fields=['stars'], name='by_stars')"
CHECK = "models.CheckConstraint(condition=models.Q(stars__gte=0), name='stars_are_positive')"
UNIQUE = "models.UniqueConstraint(fields=['owner', 'stars'], name='one_of_each')"
DEAD_LETTER = "models.ForeignKey('memories.DeadLetter', null=True, on_delete=models.SET_NULL, related_name='+')"

# In this order, since each goes on from the tables that the one before leaves: the operation, and what squawk says.
STEPS = {
    "adds_a_field_that_may_be_null": (f"migrations.AddField('memory', 'stars', {NUMBER})", None),
    "adds_a_field_with_a_default_of_the_database": (
        "migrations.AddField('memory', 'moons', models.IntegerField(default=0, db_default=0))",
        None,
    ),
    "adds_a_table": (
        "migrations.CreateModel('Comet', [('id', models.BigAutoField(primary_key=True)), "
        "('memory', models.ForeignKey('memories.Memory', on_delete=models.CASCADE))])",
        None,
    ),
    "adds_an_index_concurrently": (f"AddIndexConcurrently('memory', {INDEX})", None),
    "adds_a_constraint_that_is_not_yet_valid": (f"AddConstraintNotValid('memory', {CHECK})", None),
    "validates_a_constraint": ("ValidateConstraint('memory', 'stars_are_positive')", None),
    "adds_a_field_whose_default_only_django_knows": (
        "migrations.AddField('memory', 'suns', models.IntegerField(default=0))",
        "ban-drop-default",
    ),
    "forbids_null_where_it_was_allowed": (
        "migrations.AlterField('memory', 'moons', models.IntegerField(null=True)), "
        "migrations.AlterField('memory', 'moons', models.IntegerField(default=0, db_default=0))",
        "adding-not-nullable-field",
    ),
    "removes_a_field": ("migrations.RemoveField('memory', 'progress')", "ban-drop-column"),
    "removes_a_table": ("migrations.DeleteModel('Upload')", "ban-drop-table"),
    "renames_a_field": ("migrations.RenameField('memory', 'title', 'headline')", "renaming-column"),
    "renames_a_table": ("migrations.RenameModel('Breaker', 'Fuse')", "renaming-table"),
    "changes_a_type": (f"migrations.AlterField('memory', 'error_code', {NUMBER})", "changing-column-type"),
    "adds_an_index_under_a_lock": (
        "migrations.AddIndex('memory', models.Index(fields=['moons'], name='by_moons'))",
        "require-concurrent-index-creation",
    ),
    "removes_an_index_under_a_lock": (
        "migrations.RemoveIndex('memory', 'by_moons')",
        "require-concurrent-index-deletion",
    ),
    "adds_a_constraint_that_reads_every_row": (
        "migrations.AddConstraint('memory', models.CheckConstraint(condition=models.Q(moons__gte=0), name='moons'))",
        "constraint-missing-not-valid",
    ),
    "adds_a_unique_constraint": (f"migrations.AddConstraint('memory', {UNIQUE})", "disallowed-unique-constraint"),
    "adds_a_foreign_key_with_its_index": (
        f"migrations.AddField('memory', 'letter', {DEAD_LETTER})",
        "adding-foreign-key-constraint",
    ),
    "changes_a_table_by_hand": (
        "migrations.RunSQL('ALTER TABLE memories_memory DROP COLUMN summary')",
        "ban-drop-column",
    ),
}

MIGRATION = """\
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models

class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("memories", "{before}")]
    operations = [{operations}]
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


def lint(database_url: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "script/lint_migrations.py", "--reporter", "gcc"],
        env=os.environ | OFFLINE | {"DATABASE_URL": database_url, "MEMORIES_DATA_DIR": str(folder / "data")} | env,
        capture_output=True,
        text=True,
        timeout=120,
    )


def grow(folder: Path, steps: dict[str, str]) -> dict[str, str]:
    """Migrations with these operations, after ours: the environment in which they are the app's."""
    shutil.copytree(ROOT / "memories/migrations", folder / "grown")
    before = max(path.stem for path in (folder / "grown").glob("0*.py"))
    for number, (name, operations) in enumerate(steps.items(), start=1):
        text = MIGRATION.format(atomic="Concurrently" not in operations, before=before, operations=operations)
        before = f"1{number:03}_{name}"
        (folder / "grown" / f"{before}.py").write_text(text)
    (folder / "grown_settings.py").write_text(
        "from config.settings import *\nMIGRATION_MODULES = MIGRATION_MODULES | {'memories': 'grown'}\n"
    )
    return {"DJANGO_SETTINGS_MODULE": "grown_settings", "PYTHONPATH": f"{folder}:{ROOT}"}


@pytest.fixture(scope="module")
def verdicts(database: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What is wrong with each of STEPS."""
    folder = tmp_path_factory.mktemp("grown")
    done = lint(database, folder, **grow(folder, {name: operations for name, (operations, _) in STEPS.items()}))
    assert done.returncode == 1, done.stderr
    found: dict[str, set[str]] = {name: set() for name in STEPS}
    for name, rule in re.findall(r"^\d{4}_(\w+)\.sql:\d+:\d+: warning: ([\w-]+) ", done.stdout, re.MULTILINE):
        found[name].add(rule)
    return found


@pytest.mark.parametrize("name", [name for name, (_, rule) in STEPS.items() if rule])
def test_a_migration_that_locks_or_breaks_is_refused(name: str, verdicts: dict[str, set[str]]) -> None:
    assert STEPS[name][1] in verdicts[name]


@pytest.mark.parametrize("name", [name for name, (_, rule) in STEPS.items() if not rule])
def test_a_migration_that_only_expands_is_accepted(name: str, verdicts: dict[str, set[str]]) -> None:
    assert verdicts[name] == set()


def test_our_own_migrations_are_accepted(database: str, tmp_path: Path) -> None:
    done = lint(database, tmp_path)
    assert done.returncode == 0, done.stdout


def test_each_exemption_names_a_migration_of_ours() -> None:
    exempt = tomllib.loads((ROOT / ".squawk.toml").read_text())["excluded_paths"]
    assert [name for name in exempt if not (ROOT / "memories/migrations" / name.replace(".sql", ".py")).exists()] == []


def test_another_database_is_refused_since_these_are_rules_about_postgresql(tmp_path: Path) -> None:
    done = lint("", tmp_path)
    assert (done.returncode, "PostgreSQL" in done.stderr) == (1, True)


def test_a_migration_that_must_wait_for_a_table_gives_up_before_others_wait_for_it(
    database: str, tmp_path: Path
) -> None:
    own = {"DATABASE_URL": database, "MEMORIES_DATA_DIR": str(tmp_path / "data")}
    build_house(tmp_path / "data", database)
    grown = grow(tmp_path, {"adds_a_field": f"migrations.AddField('memory', 'stars', {NUMBER})"})
    with psycopg2.connect(database) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM memories_memory")  # and holds its lock to the end of the transaction
        done = subprocess.run(
            [sys.executable, "-c", "from config import lambda_handler; lambda_handler.migrate()"],
            env=os.environ | OFFLINE | own | grown,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (done.returncode, "lock timeout" in done.stderr) == (1, True), done.stderr
