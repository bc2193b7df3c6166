"""An account on AWS for script/deploy-release: moto behind a gate that migrates, rolls a machine, fails and kills at
our word, and the public addresses of the API."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import requests

from memories.tests.aws import _SERVER, AWS, REGION
from memories.tests.processes import ROOT

APP = "memories"
OLD, NEW = "0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"
FUNCTIONS = (f"{APP}-worker", f"{APP}-clock", f"{APP}-api")
INSTANCE = "i-0123456789abcdef0"
PARAMETER = f"/{APP}/release/image_tag"
ANSWER = tuple[int, dict[str, str], bytes]


@dataclass(eq=False)
class Cloud:
    """`old` is live in it. What befalls a release of it is said by the fields."""

    moto: AWS
    folder: Path
    runtime: str = "both"
    migration_error: str = ""  # what the function raises
    sick: set[str] = field(default_factory=set)  # releases that never get well
    refused: dict[str, str] = field(default_factory=dict)  # the error that AWS answers a call with
    overtaken: str = ""  # the update of a function's code that another deploy follows with its own
    lost: str = ""  # the call whose answer does not come back
    kill_at: str = ""  # the call whose sender is killed when it was done
    interrupt_at: set[str] = field(default_factory=set)  # the calls whose sender is asked to end, each time
    old: str = OLD

    rolled_to: str = OLD  # what runs on the machine
    calls: list[str] = field(default_factory=list)  # that changed something, in order
    migrated_by: list[str] = field(default_factory=list)  # version
    process: subprocess.Popen[str] | None = None
    gate: AWS = field(init=False)
    machine_url: str = ""
    function_url: str = ""

    # --- what a test does and looks at

    def release(self, tag: str = NEW, *arguments: str) -> subprocess.CompletedProcess[str]:
        outputs = self.folder / "outputs.json"
        outputs.write_text(json.dumps({name: {"value": value} for name, value in self.outputs().items()}))
        command = [str(ROOT / "script/deploy-release"), "--outputs", str(outputs), "--patience", "0.4", *arguments]
        env = os.environ | self.gate.env | {"APP_NAME": APP, "IMAGE_TAG": tag, "PATH": os.environ["PATH"]}
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output = self.process.communicate()[0]
        return subprocess.CompletedProcess(command, self.process.returncode, output)

    def outputs(self) -> dict[str, Any]:
        on_host, on_lambda = self.runtime in ("ec2", "both"), self.runtime in ("lambda", "both")
        return {
            "app_name": APP,
            "region": REGION,
            "repository_url": f"123456789012.dkr.ecr.{REGION}.amazonaws.com/{APP}",
            "worker_function_name": FUNCTIONS[0],
            "clock_function_name": FUNCTIONS[1],
            "api_function_name": FUNCTIONS[2] if on_lambda else None,
            "instance_id": INSTANCE if on_host else None,
            "roll_document_name": f"{APP}-roll" if on_host else None,
            "release_parameter_name": PARAMETER,
            "api_url": self.machine_url if on_host else self.function_url,
            "function_url": self.function_url if on_lambda else None,
        }

    def serving(self) -> dict[str, str]:
        """What everybody who asks is served by: the release of each function, of the machine, and the parameter."""
        found = {name: self.release_of(name) for name in FUNCTIONS}
        return found | {"machine": self.rolled_to, "parameter": self.parameter()}

    def all_at(self, tag: str) -> dict[str, str]:
        return dict.fromkeys((*FUNCTIONS, "machine", "parameter"), tag)

    def release_of(self, function: str) -> str:
        found = self.lambda_.get_function_configuration(FunctionName=function, Qualifier="live")["CodeSha256"]
        return next(tag for tag in (OLD, NEW) if self.digest(f"lambda-{tag}") == f"sha256:{found}")

    def parameter(self) -> str:
        return str(self.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"])

    def versions(self, function: str) -> list[str]:
        found = self.lambda_.list_versions_by_function(FunctionName=function)["Versions"]
        return [version["Version"] for version in found if version["Version"] != "$LATEST"]

    @property
    def lambda_(self) -> Any:
        return self.client("lambda")

    @cache  # noqa: B019 (it lives as long as a test)
    def client(self, service: str) -> Any:
        return self.moto.client(service)

    # --- how it is made

    def furnish(self) -> None:
        requests.post(f"{self.moto.endpoint_url}/moto-api/reset", timeout=10)
        requests.post(f"{self.moto.endpoint_url}/moto-api/config", json={"lambda": {"use_docker": False}}, timeout=10)
        self.client("ecr").create_repository(repositoryName=APP)
        for tag in (OLD, NEW):
            self.push(f"api-{tag}")
            self.push(f"lambda-{tag}")
        role = self.client("iam").create_role(RoleName="function", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        image = f"{self.outputs()['repository_url']}:lambda-{self.old}"
        for name in FUNCTIONS:
            self.lambda_.create_function(
                FunctionName=name, Role=role, PackageType="Image", Code={"ImageUri": image}, Publish=True
            )
            self.lambda_.create_alias(
                FunctionName=name, Name="live", FunctionVersion="1", Description="What serves; moved by releases"
            )
        self.client("ssm").put_parameter(Name=PARAMETER, Value=self.old, Type="String")

    def push(self, name: str) -> None:
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"digest": f"sha256:{hashlib.sha256(name.encode()).hexdigest()}", "size": 1},
            "layers": [{"digest": f"sha256:{hashlib.sha256(name.encode()).hexdigest()}", "size": 1}],
        }
        self.client("ecr").put_image(repositoryName=APP, imageTag=name, imageManifest=json.dumps(manifest))

    def digest(self, name: str) -> str:
        found = self.client("ecr").describe_images(repositoryName=APP, imageIds=[{"imageTag": name}])
        return str(found["imageDetails"][0]["imageDigest"])

    # --- what AWS does

    def answer(self, call: str, path: str, body: dict[str, Any], forwarded: ANSWER) -> ANSWER:
        """Where AWS says something else than moto."""
        if call.startswith("Invoke"):
            return self.migrate(path)
        if call and call == self.overtaken:
            image = f"{self.outputs()['repository_url']}:lambda-{self.old}"
            self.lambda_.update_function_code(FunctionName=call.split()[1], ImageUri=image)
        if call == "SendCommand" and body["Parameters"]["ImageTag"][0] not in self.sick:
            self.rolled_to = body["Parameters"]["ImageTag"][0]
        if call == "GetCommandInvocation":
            return self.roll_result(forwarded)
        return forwarded

    def migrate(self, path: str) -> ANSWER:
        self.migrated_by.append(path.partition("Qualifier=")[2])
        if not self.migration_error:
            return 200, {}, b'{"applied": ["memories.0020_next"]}'
        said = {"errorType": "ProgrammingError", "errorMessage": self.migration_error, "stackTrace": ["  in migrate\n"]}
        return 200, {"X-Amz-Function-Error": "Unhandled"}, json.dumps(said).encode()

    def roll_result(self, forwarded: ANSWER) -> ANSWER:
        status, headers, content = forwarded
        found = json.loads(content)
        document = self.client("ssm").list_commands(CommandId=found["CommandId"])["Commands"][0]
        tag = document["Parameters"]["ImageTag"][0]
        found["StandardOutputContent"] = f"roll: Starting api-{tag} on port 8002."
        if tag in self.sick:
            found |= {"Status": "Failed", "StatusDetails": "Failed"}
            found["StandardErrorContent"] = f"roll: api-{tag} was removed; what served before goes on."
        return status, headers, json.dumps(found).encode()


NAMES = {
    ("PUT", r"/functions/([^/]+)/code"): "UpdateFunctionCode",
    ("POST", r"/functions/([^/]+)/versions"): "PublishVersion",
    ("POST", r"/functions/([^/]+)/invocations"): "Invoke",
    ("PUT", r"/functions/([^/]+)/aliases/"): "UpdateAlias",
    ("POST", r"/functions/([^/]+)/policy"): "AddPermission",
    ("DELETE", r"/functions/([^/]+)"): "DeleteVersion",
}
READS = ("Describe", "Get", "List")


def name_of(method: str, path: str, target: str) -> str:
    """`UpdateAlias memories-worker`, `SendCommand`: a call in AWS's words. "" for what looks only, at a function."""
    if target:
        return target.rpartition(".")[2]
    for (its_method, pattern), name in NAMES.items():
        if method == its_method and (found := re.search(pattern, path)):
            return f"{name} {found[1]}"
    return ""


class _Gate(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud: Cloud

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = name_of(self.command, self.path, self.headers.get("X-Amz-Target", ""))
        cloud = self.cloud
        if error := cloud.refused.get(call):
            self.reply(412, {"x-amzn-ErrorType": error}, json.dumps({"__type": error, "message": error}).encode())
            return
        forwarded = (200, {}, b"") if call.startswith("Invoke") else self.forward(body)
        status, headers, content = cloud.answer(call, self.path, json.loads(body or b"{}"), forwarded)
        if call and not call.startswith(READS):
            cloud.calls.append(call)
        if call in cloud.interrupt_at and cloud.process:
            cloud.process.send_signal(signal.SIGINT)
            cloud.process.send_signal(signal.SIGTERM)
        if call and call == cloud.lost:
            self.close_connection = True
            return
        if call and call == cloud.kill_at and cloud.process:
            cloud.kill_at = ""
            cloud.process.kill()
            self.close_connection = True
            return
        self.reply(status, headers, content)

    do_GET = do_PUT = do_POST = do_DELETE = handle_one  # noqa: N815 (http.server's names)

    def forward(self, body: bytes) -> ANSWER:
        moto = HTTPConnection(urlsplit(self.cloud.moto.endpoint_url).netloc)
        moto.request(self.command, self.path, body, dict(self.headers))
        got = moto.getresponse()
        content = got.read()
        moto.close()
        own = {"content-length", "connection", "date", "server", "transfer-encoding"}
        return got.status, {name: value for name, value in got.getheaders() if name.lower() not in own}, content

    def reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


class Site(BaseHTTPRequestHandler):
    """The API as the internet sees it: what script/deploy-smoke asks for."""

    def release(self) -> str:
        raise NotImplementedError

    def sick(self) -> bool:
        return False

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self.reply(200, {"status": "ok", "release": self.release()})
        elif path == "/readyz":
            state = "failed" if self.sick() else "ok"
            parts = {"status": state, "database": "ok", "storage": "ok", "queue": state}
            self.reply(503 if self.sick() else 200, parts)
        elif path == "/api/schema":
            self.reply(200, {})
        elif path == "/api/v1/memories":
            self.reply(401, {"code": "not_authenticated"}, "application/problem+json")
        else:
            self.reply(404, {})

    def reply(self, status: int, body: dict[str, Any], kind: str = "application/json") -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Its address, http://127.0.0.1:PORT."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def moto_with_images() -> Iterator[AWS]:
    """A moto that takes a function's code from its own registry, as AWS does."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"MOTO_LAMBDA_STUB_ECR": "false"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield AWS(f"http://127.0.0.1:{int(process.stdout.readline())}")
        process.stdin.close()


@contextmanager
def cloud_of(moto: AWS, folder: Path) -> Iterator[Cloud]:
    cloud = Cloud(moto, folder)

    class Machine(Site):
        def release(self) -> str:
            return cloud.rolled_to

    class Function(Site):
        def release(self) -> str:
            return cloud.release_of(f"{APP}-api")

        def sick(self) -> bool:
            return f"function {self.release()}" in cloud.sick

    gate = type("Gate", (_Gate,), {"cloud": cloud})
    with listening(gate) as at_gate, listening(Machine) as machine, listening(Function) as function:
        cloud.gate, cloud.machine_url, cloud.function_url = AWS(at_gate), machine, function
        cloud.furnish()
        yield cloud
