"""Pages as a browser gets them from the real server: with their styles and scripts, from nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests

from memories.tests.server import serve

pytestmark = pytest.mark.slow


def test_pages_come_with_all_that_they_need_from_our_own_server(tmp_path: Path) -> None:
    with serve(tmp_path, f"sqlite:///{tmp_path}/db.sqlite3") as server:
        home = f"http://127.0.0.1:{server.port}"
        for path in ("/", "/api/docs", "/admin/"):
            page = requests.get(home + path, timeout=30)
            assert page.status_code == 200
            needed = re.findall(r'(?:href|src)="([^"#]+\.(?:css|js|png|svg))"', page.text)
            assert needed
            for address in needed:
                assert address.startswith("/")
                assert requests.get(home + address, timeout=30).status_code == 200
