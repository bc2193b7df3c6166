"""A request that polls, and a Lambda that starts, pay for nothing that they do not use."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

HEAVY = (
    "boto3",
    "openai",
    "httpx2",
    "pydantic",
    "redis",
    "faster_whisper",
    "ctranslate2",
    "av",
    "numpy",
    "dateparser",
    "vaderSentiment",
    "sentencex",
)


STARTS = ("config.wsgi", "config.asgi", "config.lambda_handler", "memories.processing")
OPENAI = ("memories.transcribers.openai", "memories.analyzers.openai")  # at the first call, not before


@pytest.mark.parametrize("module", [*STARTS, *OPENAI])
def test_starting_imports_no_heavy_library(module: str) -> None:
    code = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'; import django; django.setup();"
        f"import {module}; import config.urls; print(*sys.modules)"
    )
    loaded = set(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    )
    assert "django" in loaded
    assert loaded.isdisjoint(HEAVY)
