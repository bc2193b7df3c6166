"""What an image's HEALTHCHECK runs: `python -m config.healthcheck` ends with 0 while this machine's server is alive.

It imports nothing of Django, since it runs every half minute; so it reads the two variables that it needs itself.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import Request, urlopen

SECONDS = 4.0


def host_of(allowed: str) -> str:
    """A name that DJANGO_ALLOWED_HOSTS lets through."""
    first = allowed.split(",")[0].strip().lstrip(".")
    return first if first not in ("", "*") else "localhost"


def main() -> int:
    host = host_of(os.environ.get("DJANGO_ALLOWED_HOSTS", ""))
    address = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/healthz"
    try:
        with urlopen(Request(address, headers={"Host": host}), timeout=SECONDS):
            return 0
    except (URLError, HTTPException, OSError) as error:
        print(f"{address}: {error}", file=sys.stderr)  # noqa: T201 (the container's health log shows it)
        return 1


if __name__ == "__main__":
    sys.exit(main())
