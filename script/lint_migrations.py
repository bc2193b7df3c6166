"""Has squawk (.squawk.toml) read each of our migrations as PostgreSQL would run it.

script/with_postgres.py .venv/bin/python script/lint_migrations.py [SQUAWK OPTIONS]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

ROOT = Path(__file__).parent.parent
SQUAWK = Path(sys.executable).with_name("squawk")


def write_sql(folder: Path) -> list[str]:
    """One file for each migration of ours; their names."""
    names = sorted(name for label, name in MigrationLoader(None).disk_migrations if label == "memories")
    for name in names:
        with (folder / f"{name}.sql").open("w") as file:
            call_command("sqlmigrate", "memories", name, stdout=file)
    return [f"{name}.sql" for name in names]


def main() -> int | str:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    sys.path.insert(0, str(ROOT))
    django.setup()
    if connection.vendor != "postgresql":
        return "These are rules about PostgreSQL: run this under script/with_postgres.py."
    with tempfile.TemporaryDirectory(prefix="memories-migrations-") as folder:
        files = write_sql(Path(folder))
        config = tomllib.loads((ROOT / ".squawk.toml").read_text())
        if set(files) <= set(config["excluded_paths"]):  # squawk would say that it failed to find files
            print(f"all {len(files)} are exempt (.squawk.toml)")  # noqa: T201 (for who runs script/lint)
            return 0
        options = ["--config", str(ROOT / ".squawk.toml"), *sys.argv[1:]]
        return subprocess.call([SQUAWK, *options, *files], cwd=folder)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
