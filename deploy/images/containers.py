"""A service of compose.yaml as a container on the machine's own network, and a function of Lambda in one."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from deploy.images.compose import Service, service, services
from deploy.images.engine import DOCKERFILES, Engine, tag_of
from memories.tests.lambda_runtime import Function

# The resident memory of all that runs in the container but of who asks.
RESIDENT = """
import os, re
from pathlib import Path
statuses = [path.read_text() for path in Path("/proc").glob("[0-9]*/status") if path.parent.name != str(os.getpid())]
print(sum(int(found[1]) for text in statuses if (found := re.search(r"VmRSS:\\s+(\\d+)", text))))
"""


@dataclass(frozen=True)
class Container:
    engine: Engine
    name: str
    service: Service

    def exec(self, *command: str) -> str:
        return self.engine.call("exec", self.name, *command)

    def fails(self, *command: str) -> bool:
        done = subprocess.run([self.engine.name, "exec", self.name, *command], capture_output=True)  # noqa: S603
        return done.returncode != 0

    def resident(self) -> float:
        """MB."""
        return int(self.exec("python", "-c", RESIDENT)) / 1000

    def status(self, field: str) -> str:
        """Of the first process, as the kernel says."""
        lines = self.exec("cat", "/proc/1/status").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{field}:"))

    def health(self) -> bool:
        """Whether the image's own health check passes."""
        check: list[str] = self.engine.inspect("container", self.name)["Config"]["Healthcheck"]["Test"]
        return not self.fails(*check[1:])

    def stop(self) -> tuple[float, int]:
        """The seconds it took to end when asked, and its exit code."""
        began = time.monotonic()
        self.engine.call("stop", "-t", str(self.service.grace), self.name)
        seconds = time.monotonic() - began
        return seconds, int(self.engine.inspect("container", self.name)["State"]["ExitCode"])

    def log(self) -> str:
        done = subprocess.run([self.engine.name, "logs", self.name], capture_output=True, text=True)  # noqa: S603
        return done.stdout + done.stderr


@dataclass(frozen=True)
class Ship:
    """Starts services under names of its own, and removes what it started."""

    engine: Engine
    prefix: str
    environment: Mapping[str, str]  # wins over that of compose.yaml
    image: str = "api"  # of all services but the function

    def arguments(self, name: str, **environment: str) -> tuple[Container, list[str]]:
        found = service(services()[name])
        container = Container(self.engine, f"{self.prefix}-{name}", found)
        # Volumes are the containers' own, and go with them.
        flags = [flag.replace("data:/data", f"{self.prefix}-data:/data") for flag in found.flags]
        image = name if name in DOCKERFILES and name != "api" else self.image
        given = found.environment | dict(self.environment) | environment
        variables = [part for item in given.items() for part in ("--env", "=".join(item))]
        run = ["run", "--name", container.name, "--network=host", *flags, *variables, tag_of(image), *found.command]
        return container, run

    def start(self, name: str, **environment: str) -> Container:
        container, run = self.arguments(name, **environment)
        self.engine.call(*run[:1], "--detach", *run[1:])
        return container

    def do(self, name: str) -> None:
        """A service that comes to an end. SystemExit with what it says where it fails."""
        container, run = self.arguments(name)
        self.engine.call(*run)
        self.engine.call("rm", container.name)

    def clear(self) -> None:
        for name in services():
            subprocess.run([self.engine.name, "rm", "--force", f"{self.prefix}-{name}"], capture_output=True)  # noqa: S603
        subprocess.run([self.engine.name, "volume", "rm", f"{self.prefix}-data"], capture_output=True)  # noqa: S603


class ContainerFunction(Function):
    """The function, in its image: `lambda` of compose.yaml."""

    def __init__(self, ship: Ship, log: Path) -> None:
        super().__init__({}, log)
        self.ship = ship

    def run(self, address: str, log: BinaryIO) -> subprocess.Popen[bytes]:
        self.container, run = self.ship.arguments("lambda", AWS_LAMBDA_RUNTIME_API=address)
        return subprocess.Popen([self.ship.engine.name, *run], stdout=log, stderr=log)  # noqa: S603

    def kill(self) -> None:
        self.ship.engine.call("rm", "--force", self.container.name)
        super().kill()
