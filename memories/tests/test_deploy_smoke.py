"""script/deploy-smoke against real servers: one that is well, and one for each way not to be."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from memories.tests.processes import ROOT
from memories.tests.release_cloud import NEW, OLD, Site, listening

pytestmark = pytest.mark.slow


def smoke(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "script/deploy-smoke", "--patience", "0.2", *arguments],
        env=os.environ | {"IMAGE_TAG": NEW} | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Well(Site):
    def release(self) -> str:
        return NEW


class Other(Site):
    """Answers one path otherwise."""

    path_of_fault = ""
    status = 200
    body: dict[str, Any] = {}
    kind = "application/json"

    def release(self) -> str:
        return NEW

    def do_GET(self) -> None:  # noqa: N802 (http.server's name)
        if self.path == self.path_of_fault:
            self.reply(self.status, self.body, self.kind)
        else:
            super().do_GET()


def test_a_service_that_is_well_passes_each_check() -> None:
    with listening(Well) as url:
        done = smoke(url)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("    ok ") == 5


@pytest.mark.parametrize(
    ("path", "status", "body", "said"),
    [
        ("/healthz", 200, {"status": "ok", "release": OLD}, f"says release '{OLD}'"),
        ("/healthz", 200, {"status": "ok"}, "says release None"),
        ("/healthz", 502, {}, "answers 502"),
        ("/readyz", 503, {"status": "failed", "database": "failed", "queue": "ok"}, "failed: status, database"),
        ("/readyz", 200, {}, "does not say what"),
        ("/api/schema", 500, {}, "answers 500"),
        ("/api/v1/memories", 200, {"results": []}, "answers 200 with application/json"),
        ("/api/v1/memories", 401, {}, "answers 401 with application/json"),
        ("/api/v1/memories", 301, {}, "answers 301"),
    ],
)
def test_each_fault_is_named_and_is_the_only_one(path: str, status: int, body: dict[str, Any], said: str) -> None:
    handler = type("Faulty", (Other,), {"path_of_fault": path, "status": status, "body": body})
    with listening(handler) as url:
        done = smoke(url)
    assert done.returncode == 1
    assert done.stdout.count("    FAILED ") == 1
    assert said in done.stdout


def test_it_waits_for_a_service_that_is_just_starting() -> None:
    asked: list[str] = []

    class Starting(Site):
        def release(self) -> str:
            asked.append(self.path)
            return NEW if len(asked) > 2 else OLD

    with listening(Starting) as url:
        done = smoke(url, "--patience", "20")
    assert done.returncode == 0, done.stdout


def test_nobody_there_is_said_as_such() -> None:
    with listening(Well) as url:
        pass  # it has ended by now
    done = smoke(url)
    assert done.returncode == 1
    assert "Connection refused" in done.stdout
    assert "(DNS)" in done.stdout


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, signed by itself: a file with certificate and key."""
    folder = tmp_path_factory.mktemp("certificate")
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(["openssl", *request.split(), *names], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "certificate.pem").read_text() + (folder / "key.pem").read_text())
    return both


@pytest.fixture
def secure(certificate: Path) -> Iterator[int]:
    """The port of a service behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), Well) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_certificate_that_is_trusted_passes(secure: int, certificate: Path) -> None:
    done = smoke(f"https://localhost:{secure}", SSL_CERT_FILE=str(certificate))
    assert done.returncode == 0, done.stdout


def test_a_certificate_that_nobody_trusts_fails(secure: int) -> None:
    done = smoke(f"https://localhost:{secure}")
    assert done.returncode == 1
    assert "FAILED TLS is valid: the certificate: self" in done.stdout


def test_a_certificate_of_another_name_fails(secure: int, certificate: Path) -> None:
    done = smoke(f"https://127.0.0.1:{secure}", SSL_CERT_FILE=str(certificate))
    assert done.returncode == 1
    assert "FAILED TLS is valid: the certificate: IP address mismatch" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["http://memories.example.org"],
        ["file:///etc/passwd"],
        ["https://user:password@example.org"],
        ["https://example.org/path"],
        ["https://example.org?a=1"],
        ["https://example.org; id"],
        ["example.org"],
        ["https://"],
        ["http://localhost:port"],
        ["https://example.org", "--release", "latest"],
    ],
)
def test_malformed_addresses_are_refused(arguments: list[str]) -> None:
    done = smoke(*arguments)
    assert done.returncode == 2, done.stdout
    assert "FAILED: " in done.stdout


def test_a_dry_run_asks_nobody() -> None:
    done = smoke("https://memories.invalid", "--dry-run")
    assert done.returncode == 0
    assert "Would look at https://memories.invalid" in done.stdout
