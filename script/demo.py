"""The client's part of script/demo: sign in, send a recording, wait for the memory, find it. Standard library only."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FIRST_PORT = 8000
USERNAME = "demo"


def free_port() -> int:
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SystemExit("No free port between 8000 and 8099.")


def say(text: str) -> None:
    print(f"\033[1m==> {text}\033[0m", flush=True)  # noqa: T201


class Client:
    """The calls that the demo makes; a problem document ends it with its detail and next step."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.headers: dict[str, str] = {}

    def call(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> Any:
        headers = self.headers | ({"Content-Type": content_type} if content_type else {})
        request = urllib.request.Request(self.address + path, data=body, method=method, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 (our own address)
                return json.load(response)
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read() or b"{}")
            raise SystemExit(f"{error.code}: {problem.get('detail')} {problem.get('next_step', '')}") from error

    def wait_until_up(self, seconds: float = 30.0) -> None:
        until = time.monotonic() + seconds
        while True:
            try:
                self.call("GET", "/healthz")
                return
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > until:
                    raise SystemExit("The server did not start; its log is data/demo/server.log.") from None
                time.sleep(0.1)

    def sign_in(self, username: str, password: str) -> None:
        body = json.dumps({"username": username, "password": password, "device": "script/demo"}).encode()
        token = self.call("POST", "/api/v1/auth/token", body, "application/json")["token"]
        self.headers["Authorization"] = f"Bearer {token}"

    def send(self, recording: Path) -> Any:
        boundary = secrets.token_hex(16)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="audio"; filename="{recording.name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = head.encode() + recording.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        return self.call("POST", "/api/v1/memories", body, f"multipart/form-data; boundary={boundary}")

    def finished(self, memory: Any) -> Any:
        while memory["status"] in ("QUEUED", "TRANSCRIBING", "ANALYZING"):
            say(f"{memory['status']}: {memory['status_detail']}")
            memory = self.call("GET", f"/api/v1/memories/{memory['id']}?wait=25")
        return memory


def make_user() -> str:
    """A superuser with a fresh password."""
    password = secrets.token_urlsafe(9)
    manage = [sys.executable, str(ROOT / "manage.py")]
    code = (
        "from django.contrib.auth.models import User; import os;"
        f"user, _ = User.objects.get_or_create(username={USERNAME!r}, is_staff=True, is_superuser=True);"
        "user.set_password(os.environ['DEMO_PASSWORD']); user.save()"
    )
    env = os.environ | {"DEMO_PASSWORD": password}
    subprocess.run([*manage, "shell", "--no-imports", "-c", code], check=True, env=env)  # noqa: S603
    return password


def run(address: str, recording: Path) -> None:
    client = Client(address)
    client.wait_until_up()
    password = make_user()
    client.sign_in(USERNAME, password)
    say(f"Sending {recording} ({recording.stat().st_size:,} bytes)")
    memory = client.finished(client.send(recording))
    say("The memory:")
    print(json.dumps(memory, indent=2, ensure_ascii=False))  # noqa: T201
    if memory["status"] != "READY":
        raise SystemExit(f"It ended as {memory['status']}: {memory['status_detail']}")
    word = max(memory["transcript"]["text"].split(), key=len).strip(".,")
    found = client.call("GET", f"/api/v1/memories?{urllib.parse.urlencode({'q': word})}")["results"]
    for match in (item["match"] for item in found[:1] if item["match"]):
        say(f"Searching {word!r} finds it, said at second {match['start']}: {match['text']}")
    say(f"The site is up: {address} (API: {address}/api/docs, admin: {address}/admin/)")
    say(f"Sign in as {USERNAME!r} with the password {password!r}. `script/demo stop` ends it.")


if __name__ == "__main__":
    if sys.argv[1] == "port":
        print(free_port())  # noqa: T201
    else:
        run(sys.argv[2], Path(sys.argv[3]))
