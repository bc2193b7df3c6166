"""A machine for deploy/host/*.sh: stand-ins of docker, aws, curl and of DNS that keep what runs in files."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from memories.tests.processes import ROOT

REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/memories"
CADDY = "public.ecr.aws/docker/library/caddy:2"
ADDRESS = "203.0.113.9"
ENVIRONMENT = "MEMORIES_ENV=production\nMAX_UPLOAD_MB=200\n"

# A container is a folder of files: image, port, labels. What is asked of it over HTTP is answered from the same files.
DOCKER = r"""#!/usr/bin/env bash
here=$(dirname "$0")/..
echo "docker $*" >>"$here/calls"
[ "$(cat "$here/die-at" 2>/dev/null)" != "$1" ] || { rm "$here/die-at"; kill -KILL "$PPID"; exit 1; }
last=${*: -1}
case $1 in
  login) cat >/dev/null ;;
  pull) grep -qx "$last" "$here/registry" && echo "$last" >>"$here/images" ;;
  image)
    case $2 in
      inspect)
        grep -qx "$last" "$here/images" || exit 1
        case $4 in *Id*) echo "sha256:of-$last" ;; *) echo "$(id -u):$(id -g)" ;; esac ;;
      ls) sed -n "s|^$last:||p" "$here/images" | sort -u ;;
    esac ;;
  rmi) grep -vx "$last" "$here/images" >"$here/images.next"; mv "$here/images.next" "$here/images" ;;
  run)
    while [ $# -gt 0 ]; do
      case $1 in
        --name) box=$here/containers/$2; [ ! -e "$box" ] || exit 125; mkdir "$box" ;;
        --label) echo "${2#*=}" >"$box/label-${2%%=*}" ;;
        --env-file) cp "$2" "$box/environment" ;;
        --env) case $2 in PORT=*) echo "${2#PORT=}" >"$box/port" ;; esac ;;
      esac
      shift
    done
    if grep -qx "$last" "$here/broken"; then echo "exec format error" >&2; touch "$box/stopped"; exit 126; fi
    echo "$last" >"$box/image" ;;
  inspect)
    box=$here/containers/$last
    [ -d "$box" ] || exit 1
    case $* in
      *State.Running*) [ -e "$box/stopped" ] && echo false || echo true ;;
      *Labels*) all=$*; label=${all#*Labels \"}; cat "$box/label-${label%%\"*}" ;;
      *) echo running ;;
    esac ;;
  exec)
    [ -e "$here/containers/$2" ] && [ ! -e "$here/containers/$2/stopped" ] || exit 1
    new=$here/state/caddy/config/Caddyfile
    ! grep -qf "$here/caddy-refuses" "$new" && cp "$new" "$here/served" ;;
  logs) echo "django.db.utils.OperationalError: no way" ;;
  stop) touch "$here/containers/$last/stopped" ;;
  rm) [ -d "$here/containers/$last" ] && rm -r "$here/containers/$last" ;;
esac
"""
AWS = r"""#!/usr/bin/env bash
here=$(dirname "$0")/..
case $* in
  *get-login-password*) echo a-password ;;
  *"/memories/api/environment"*) cat "$here/parameter" ;;
  *put-metric-data*) echo "$*" >>"$here/metrics" ;;
  *) exit 1 ;;
esac
"""
CURL = r"""#!/usr/bin/env bash
here=$(dirname "$0")/..
address=${*: -1}
case $* in
  *"--resolve memories.example.org:443:127.0.0.1 https://memories.example.org/readyz") exit "$(cat "$here/public")" ;;
esac
port=${address#http://127.0.0.1:}; path=/${port#*/}; port=${port%%/*}
for box in "$here"/containers/*-"$port"; do
  [ -d "$box" ] && [ ! -e "$box/stopped" ] || exit 7
  tag=$(sed 's/.*:api-//' "$box/image")
  case $path in
    /healthz) echo "{\"status\":\"ok\",\"release\":\"$tag\"}" ;;
    /readyz) ! grep -qx "$tag" "$here/sick" || { echo '{"status":"failed","database":"failed"}'; exit 22; } ;;
  esac
done
"""
GETENT = r"""#!/usr/bin/env bash
here=$(dirname "$0")/..
grep " $2$" "$here/dns" | sed "s/ .*/ STREAM $2/"
"""


@dataclass
class Machine:
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def furnish(cls, folder: Path, *tags: str) -> Machine:
        """With images of these releases in the registry, and nothing running."""
        for name in ("bin", "containers", "state"):
            (folder / name).mkdir()
        for name, text in (
            ("docker", DOCKER),
            ("aws", AWS),
            ("curl", CURL),
            ("getent", GETENT),
            ("sleep", "#!/usr/bin/env bash\n"),
        ):
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        for name in ("calls", "images", "sick", "caddy-refuses", "broken", "metrics"):
            (folder / name).touch()
        (folder / "parameter").write_text(ENVIRONMENT)
        (folder / "registry").write_text("".join(f"{REPOSITORY}:api-{tag}\n" for tag in tags) + f"{CADDY}\n")
        (folder / "dns").write_text(f"{ADDRESS} memories.example.org\n")
        return cls(folder)

    def roll(self, tag: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self.run("roll.sh", *arguments, **{"IMAGE_TAG": tag} | env)

    def run(self, script: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "STATE_DIR": str(self.folder / "state"),
            "ROLL_PATIENCE": "0",
            "APP_NAME": "memories",
            "AWS_REGION": "us-east-1",
            "REPOSITORY_URL": REPOSITORY,
            "LOG_GROUP": "/memories/host",
            "SITE_ADDRESS": "memories.example.org",
            "OWN_ADDRESS": "203-0-113-9.sslip.io",
            "PUBLIC_IP": ADDRESS,
            "CADDY_IMAGE": CADDY,
        }
        return subprocess.run(
            ["bash", ROOT / "deploy/host" / script, *arguments],
            env=settings | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )

    def dies_at(self, command: str) -> None:
        """The next roll is killed (SIGKILL) when it calls docker with this."""
        (self.folder / "die-at").write_text(command)

    def makes_sick(self, tag: str) -> None:
        (self.folder / "sick").write_text(f"{tag}\n")

    def running(self) -> dict[str, str]:
        """Release by container of the API."""
        boxes = sorted((self.folder / "containers").glob("*-api-*"))
        return {box.name: (box / "image").read_text().strip().rpartition("api-")[2] for box in boxes}

    def served(self) -> str:
        """The release that Caddy's visitors get."""
        port = next(line for line in self.caddyfile().splitlines() if "reverse_proxy" in line).split(":")[1].split()[0]
        return self.running()[f"memories-api-{port}"]

    def caddyfile(self) -> str:
        return (self.folder / "served").read_text()

    def proxy(self) -> str:
        """The image of Caddy that runs."""
        return (self.folder / "containers/memories-caddy/image").read_text().strip()

    def images(self) -> list[str]:
        """Of the API."""
        found = (self.folder / "images").read_text().split()
        return sorted({line.rpartition(":")[2] for line in found if line.startswith(REPOSITORY)})

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def forget_calls(self) -> None:
        (self.folder / "calls").write_text("")
