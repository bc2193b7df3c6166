"""How gunicorn runs us: it reads this file by itself when it starts in this folder; its command line goes first."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

worker_class = "gthread"
threads = 64  # who waits or listens holds one: more than MEMORIES_MAX_WAITERS, so that others get through
workers = 1  # fits 1 GiB twice, as a release takes it, and a db.t3.micro: each thread may hold a connection
control_socket_disable = True
# Where the heartbeat's file is memory: a disk that is busy would look like a worker that hangs. And a container has it,
# even one that may write nowhere.
MEMORY = Path("/dev/shm")  # noqa: S108 (gunicorn makes a file of a name that nobody can guess, and unlinks it)
worker_tmp_dir = str(MEMORY) if MEMORY.is_dir() else None

LINGER_SECONDS = 10.0
QUIET_SECONDS = 2.0
BLOCK = 64 * 1024


def post_worker_init(worker: Any) -> None:
    """Streams of events end when the server is asked to stop, or it would wait for them until it is killed."""
    from memories.waiting import seats

    seats.server_stops = lambda: not worker.alive


def post_request(worker: Any, req: Any, environ: dict[str, Any], resp: Any) -> None:
    """Read on for a while after an early answer, such as "too large": closing on a client that is still sending resets
    the connection, and the answer is lost on its way (RFC 9112, section 9.6)."""
    connection = environ.get("gunicorn.socket")
    if connection is None:
        return
    until = time.monotonic() + LINGER_SECONDS
    with suppress(Exception):  # the answer is given: whatever happens here is nobody's affair
        connection.settimeout(QUIET_SECONDS)
        while time.monotonic() < until and req.body.read(BLOCK):
            pass
        connection.settimeout(None)
