"""Settings of worker processes that tests start: ports that take no time, and count their calls in a file."""

import os

from config.settings import *  # noqa: F403

MEMORIES_TRANSCRIBER = {
    "BACKEND": "memories.tests.processes.CountingTranscriber",
    "OPTIONS": {"path": os.environ["COUNT_CALLS_IN"], "seconds": float(os.environ.get("CALL_SECONDS", "0"))},
}
MEMORIES_ANALYZER = {
    "BACKEND": "memories.tests.processes.SlowAnalyzer",
    "OPTIONS": {"seconds": float(os.environ.get("ANALYSIS_SECONDS", os.environ.get("CALL_SECONDS", "0")))},
}
MEMORIES_HEARTBEAT_SECONDS = float(os.environ.get("HEARTBEAT_SECONDS", "15"))
MEMORIES_STREAM_SECONDS = float(os.environ.get("STREAM_SECONDS", "300"))
