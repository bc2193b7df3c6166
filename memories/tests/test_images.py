"""What can be said of the images without building one; script/images smoke has the rest."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from config.healthcheck import host_of
from deploy.images import compose, engine, precompile, size
from memories.tests.aws import AWS

ROOT = Path(__file__).parents[2]
DOCKERFILES = ("Dockerfile", "Dockerfile.lambda")
OURS = ("api", "worker", "migrate", "aws-setup", "lambda")


def instructions(name: str) -> list[str]:
    text = re.sub(r"\\\n\s*", "", (ROOT / name).read_text())
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def copied(name: str) -> set[str]:
    """What the builder must have been sent."""
    lines = [line.split()[1:-1] for line in instructions(name) if re.match(r"COPY (?!--from)", line)]
    return {source for sources in lines for source in sources}


def is_sent(path: str) -> bool:
    """As .dockerignore says: the last line that matches the path, or a folder that it is in, decides."""
    ignored = False
    folders = [path, *(str(parent) for parent in Path(path).parents)]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        anywhere = pattern.removeprefix("**/")
        tried = [pattern] if anywhere == pattern else [anywhere, f"*/{anywhere}"]
        if line and not line.startswith("#") and any(fnmatchcase(each, it) for each in folders for it in tried):
            ignored = not line.startswith("!")
    return not ignored


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "config/.env",
        ".git/config",
        "data/db.sqlite3",
        "uploads/a.m4a",
        "staticfiles/x.css",
        ".venv/bin/python",
        "key.pem",
        "deploy/terraform/terraform.tfstate",
        "deploy/terraform/terraform.tfvars",
        "deploy/prices.py",
        "memories/tests/conftest.py",
        "memories/tests/samples/tts_en.mp3",
        "memories/api/__pycache__/health.cpython-311.pyc",
        "config/settings.pyc",
        "requirements-dev.txt",
        "bench/kills.py",
        "docs/api.md",
    ],
)
def test_what_is_secret_large_or_of_no_use_there_never_reaches_the_builder(path: str) -> None:
    assert not is_sent(path)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_each_file_that_is_copied_exists_and_reaches_the_builder(name: str) -> None:
    assert copied(name) != set()
    for source in copied(name):
        found = list(ROOT.glob(source))
        assert found != [], source
        assert any(is_sent(str(path.relative_to(ROOT))) for path in found), source


def test_all_code_of_the_service_reaches_the_builder() -> None:
    asked = ["git", "ls-files", "config", "memories", "manage.py", "gunicorn.conf.py"]
    files = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    assert [path for path in files if not path.startswith("memories/tests/") and not is_sent(path)] == []


def test_both_images_are_made_by_the_same_words_down_to_what_sets_them_apart() -> None:
    begins, ends = "# Named here only", "# ---- the image itself"
    shared = [(ROOT / name).read_text().partition(begins)[2].partition(ends)[0] for name in DOCKERFILES]
    assert len(shared[0]) > 1000
    assert shared[0] == shared[1]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_vendors_image_is_named_once_where_dependabot_finds_it(name: str) -> None:
    stages = [line.split() for line in instructions(name) if line.startswith("FROM ")]
    named = {words[3] for words in stages if len(words) > 3}
    foreign = [words[1] for words in stages if words[1] not in named]
    assert len(foreign) == 1
    assert re.fullmatch(r"python:\d+\.\d+[\w.]*-slim-\w+", foreign[0])


@pytest.mark.parametrize("name", DOCKERFILES)
def test_who_runs_an_image_is_nobody_and_gets_its_signals(name: str) -> None:
    said = [line.split(maxsplit=1) for line in instructions(name)]
    assert [value for key, value in said if key == "USER"][-1] == "10001:10001"
    assert all(value.startswith("[") for key, value in said if key in ("CMD", "ENTRYPOINT"))


def test_the_images_keep_each_service_of_aws_that_the_code_calls() -> None:
    kept = set(re.findall(r"! -name (\w+)", (ROOT / "Dockerfile").read_text()))
    paths = [path for folder in ("config", "memories") for path in (ROOT / folder).rglob("*.py")]
    code = "\n".join(path.read_text() for path in paths if "tests" not in path.parts)
    called = set(re.findall(r"client\(\s*\"([\w-]+)\"", code))
    assert "sqs" in called
    assert called | {"s3"} <= kept
    assert set(precompile.SERVICES) <= kept


def test_the_lambda_image_adds_no_second_version_of_a_package() -> None:
    shared, added = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "requirements-lambda.txt")
    )
    assert "awslambdaric" in added
    assert {name: version for name, version in added.items() if shared.get(name, version) != version} == {}


def test_what_a_function_imports_when_it_is_called_is_compiled_too(tmp_path: Path) -> None:
    (tmp_path / "memories").mkdir()
    (tmp_path / "memories/a.py").write_text("import one.two\ndef f():\n    from three import four\n")
    (tmp_path / "memories/__init__.py").write_text("")
    assert set(precompile.named(tmp_path)) == {"memories", "memories.a", "one.two", "three"}


# ---- compose.yaml


def text() -> str:
    return (ROOT / "compose.yaml").read_text()


def problem_of(definition: str) -> str:
    """What the Compose Specification has against it."""
    try:
        PyCompose.from_yaml(definition).validate()
    except ValueError as error:
        return str(error)
    return ""


def test_compose_keeps_to_the_specification() -> None:
    assert problem_of(yaml.safe_dump(yaml.safe_load(text()))) == ""  # dumped: the merges are carried out


@pytest.mark.parametrize(
    ("good", "bad"),
    [("cap_drop:", "cap_dropped:"), ("mem_limit: 512m", "mem_limit: lots"), ("interval:", "intervall:")],
)
def test_what_does_not_keep_to_the_specification_is_found(good: str, bad: str) -> None:
    assert good in text()
    assert problem_of(yaml.safe_dump(yaml.safe_load(text().replace(good, bad)))) != ""


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_locked_up(name: str) -> None:
    service = yaml.safe_load(text())["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service["user"].startswith("0")
    assert service["mem_limit"]


def test_services_wait_for_services_that_exist() -> None:
    services = yaml.safe_load(text())["services"]
    waited = {other for service in services.values() for other in service.get("depends_on", [])}
    assert waited
    assert waited - services.keys() == set()


def test_the_images_of_others_are_named_by_version() -> None:
    services = yaml.safe_load(text())["services"]
    images = {service["image"] for service in services.values() if "build" not in service}
    assert len(images) == 3
    assert all(re.search(r":\d+[\w.-]*$", image) for image in images)


def test_what_the_variant_on_aws_sets_is_what_compose_asks_for() -> None:
    lines = (ROOT / "deploy/local/aws.env").read_text().splitlines()
    names = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert names - set(re.findall(r"\$\{(\w+)", text())) == {"COMPOSE_PROFILES"}


def test_a_service_becomes_what_the_engine_is_told() -> None:
    services = compose.load(text(), {"REDIS_ENABLED": "true"})
    worker = compose.service(services["worker"])
    flags = " ".join(worker.flags)
    assert "--read-only" in flags
    assert "--cap-drop ALL" in flags
    assert "--user 10001:10001" in flags
    assert "--volume data:/data" in flags
    assert "--no-healthcheck" in flags
    assert worker.command == ["python", "manage.py", "run_worker"]
    assert worker.environment["REDIS_ENABLED"] == "true"
    assert worker.environment["AWS_REGION"] == "us-east-1"
    assert worker.grace == 35


@pytest.mark.parametrize("name", OURS)
def test_the_smoke_test_can_run_each_service_of_ours(name: str) -> None:
    assert compose.service(compose.load(text(), {})[name]).flags


def test_what_the_smoke_test_cannot_run_is_named() -> None:
    with pytest.raises(ValueError, match="privileged"):
        compose.service({"image": "x", "privileged": True})


# ---- the health check


@contextmanager
def answering(status: int, hosts: list[str]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hosts.append(self.headers["Host"])
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.server_port
        server.shutdown()


def check_health(port: int) -> int:
    env = os.environ | {"PORT": str(port), "DJANGO_ALLOWED_HOSTS": "memories.example.org,localhost"}
    command = [sys.executable, "-m", "config.healthcheck"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True).returncode


@pytest.mark.parametrize(("status", "code"), [(200, 0), (400, 1), (503, 1)])
def test_the_health_check_asks_the_server_under_a_name_that_it_allows(status: int, code: int) -> None:
    hosts: list[str] = []
    with answering(status, hosts) as port:
        assert check_health(port) == code
    assert hosts == ["memories.example.org"]


def test_a_server_that_is_not_there_is_not_well() -> None:
    with answering(200, []) as port:
        pass
    assert check_health(port) == 1


@pytest.mark.parametrize(
    ("allowed", "host"),
    [("", "localhost"), ("*", "localhost"), (".example.org", "example.org"), ("a.org, b.org", "a.org")],
)
def test_the_name_is_the_first_that_is_one(allowed: str, host: str) -> None:
    assert host_of(allowed) == host


# ---- engines and weights


def program(folder: Path, name: str, code: int) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CONTAINER_ENGINE", raising=False)
    return tmp_path


def test_a_docker_without_an_engine_is_passed_over(programs: Path) -> None:
    program(programs, "docker", 1)
    program(programs, "podman", 0)
    assert engine.builder().name == engine.runner().name == "podman"


def test_the_engine_that_is_asked_for_is_taken_or_missed(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "podman", 0)
    program(programs, "buildah", 0)
    monkeypatch.setenv("CONTAINER_ENGINE", "buildah")
    assert engine.builder().name == "buildah"
    with pytest.raises(SystemExit, match="docker or podman, and CONTAINER_ENGINE=buildah is none of them"):
        engine.runner()
    monkeypatch.setenv("CONTAINER_ENGINE", "docker")
    with pytest.raises(SystemExit, match="and docker did not answer"):
        engine.builder()


def test_flags_that_no_shell_would_take_are_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_FLAGS", '-v "')
    with pytest.raises(SystemExit, match="BUILD_FLAGS is"):
        engine.build_flags()


def test_without_any_engine_it_is_said_what_to_install(programs: Path) -> None:
    with pytest.raises(SystemExit, match="apt-get install podman"):
        engine.builder()


def layer(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def test_layers_are_weighed_as_a_registry_stores_them(tmp_path: Path) -> None:
    plain, squeezed = b"a" * 3_000_000, gzip.compress(os.urandom(5000))
    steps = ["ADD rootfs", "ENV A=1", "RUN useradd memories", "COPY app"]
    config = {
        "history": [{"created_by": step, "empty_layer": step.startswith("ENV")} for step in steps],
        "rootfs": {"diff_ids": ["one", "two", "three"]},
    }
    with tarfile.open(tmp_path / "image.tar", "w") as tar:
        layer(tar, "manifest.json", json.dumps([{"Config": "c.json", "Layers": ["1", "2", "3"]}]).encode())
        layer(tar, "c.json", json.dumps(config).encode())
        layer(tar, "1", plain)
        layer(tar, "2", squeezed)
        layer(tar, "3", plain)
    base, user, app = size.layers_of(tmp_path / "image.tar")
    assert base.size == app.size
    assert base.size < 10_000
    assert user.size == len(squeezed)
    assert [each.ours for each in (base, user, app)] == [False, True, True]


# ---- moto beside the containers


def make_aws(aws: AWS, queue: str) -> subprocess.CompletedProcess[str]:
    names = {"AWS_STORAGE_BUCKET_NAME": "memories-local", "SQS_QUEUE_URL": queue, "SQS_DLQ_URL": f"{queue}-dlq"}
    command = [sys.executable, "deploy/local/make_aws.py"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | aws.env | names, capture_output=True, text=True)


@pytest.mark.slow
def test_the_bucket_and_the_queues_are_made_once(aws: AWS) -> None:
    queue = f"{aws.endpoint_url}/123456789012/memories-local"
    for _ in range(2):
        done = make_aws(aws, queue)
        assert done.returncode == 0, done.stderr
    found = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert json.loads(found["RedrivePolicy"])["deadLetterTargetArn"].endswith(":memories-local-dlq")
    assert aws.client("s3").list_objects_v2(Bucket="memories-local")["KeyCount"] == 0


@pytest.mark.slow
def test_an_address_where_no_queue_can_be_is_named(aws: AWS) -> None:
    done = make_aws(aws, f"{aws.endpoint_url}/999/memories-elsewhere")
    assert done.returncode == 1
    assert "SQS_DLQ_URL is" in done.stderr
