"""The embedded defaults, with short chunks, counted calls, and an analysis that takes long enough to be hit."""

import os

from config.settings import *  # noqa: F403

MEMORIES_TRANSCRIBER = {
    "BACKEND": "bench.kills.CountedWhisper",
    "OPTIONS": {"path": os.environ["COUNT_CALLS_IN"]},
}
MEMORIES_ANALYZER = {"BACKEND": "bench.kills.SlowAnalyzer"}
