"""The API's machine: rolls without a gap (deploy/host/roll.sh), the proxy's configuration, the first boot."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import yaml

from memories.tests.host_machine import ADDRESS, CADDY, ENVIRONMENT, Machine
from memories.tests.processes import ROOT, wait_for

HOST = ROOT / "deploy/host"
OLD, NEW, NEXT = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.furnish(tmp_path, OLD, NEW, NEXT)


# --- rolls


@pytest.mark.slow
def test_the_first_roll_starts_the_api_and_the_proxy(machine: Machine) -> None:
    done = machine.roll(OLD)
    assert done.returncode == 0, done.stdout
    assert machine.running() == {"memories-api-8001": OLD}
    assert machine.served() == OLD
    assert "memories.example.org, 203-0-113-9.sslip.io {" in machine.caddyfile(), "the machine's own name stays"
    assert "max_size 212MiB" in machine.caddyfile(), "a little over MAX_UPLOAD_MB"
    assert "@" not in re.sub(r"#.*", "", machine.caddyfile()), "everything is filled in"


@pytest.mark.slow
def test_the_container_can_do_no_more_than_it_must(machine: Machine) -> None:
    machine.roll(OLD)
    run = next(call for call in machine.calls() if "--name memories-api-8001" in call)
    for flag in ("--read-only", "--cap-drop ALL", "--security-opt no-new-privileges", "--memory", "--pids-limit"):
        assert flag in run
    assert "--bind=127.0.0.1:8001" in run, "it is reached through the proxy only"


@pytest.mark.slow
def test_no_container_waits_for_a_log_service_that_is_away(machine: Machine) -> None:
    machine.roll(OLD)
    runs = [call for call in machine.calls() if call.startswith("docker run")]
    assert len(runs) == 2
    for run in runs:
        assert "--log-opt mode=non-blocking --log-opt max-buffer-size=4m" in run


@pytest.mark.slow
def test_a_roll_takes_the_other_port_and_ends_the_old_container_last(machine: Machine) -> None:
    machine.roll(OLD)
    machine.forget_calls()
    done = machine.roll(NEW)
    assert done.returncode == 0, done.stdout
    assert machine.running() == {"memories-api-8002": NEW}
    assert machine.served() == NEW
    order = [call.split()[1] for call in machine.calls() if re.match(r"docker (run|exec|stop|rm) ", call)]
    assert order[-4:] == ["run", "exec", "stop", "rm"], "start beside it, point the proxy, let it end, remove it"
    machine.roll(NEXT)
    assert machine.running() == {"memories-api-8001": NEXT}


@pytest.mark.slow
def test_a_container_that_never_gets_well_is_removed_and_the_old_one_serves_on(machine: Machine) -> None:
    machine.roll(OLD)
    machine.makes_sick(NEW)
    done = machine.roll(NEW)
    assert done.returncode == 1
    assert machine.running() == {"memories-api-8001": OLD}
    assert machine.served() == OLD
    assert '"database":"failed"' in done.stdout, "what it says of itself is shown"
    assert "OperationalError" in done.stdout, "the end of its log is shown"


@pytest.mark.slow
def test_a_proxy_that_refuses_the_configuration_leaves_the_old_container_serving(machine: Machine) -> None:
    machine.roll(OLD)
    served = machine.caddyfile()
    (machine.folder / "caddy-refuses").write_text("127.0.0.1:8002\n")
    done = machine.roll(NEW)
    assert done.returncode == 1
    assert "Caddy does not run with its new configuration" in done.stdout
    assert machine.running() == {"memories-api-8001": OLD}
    assert (machine.folder / "state/caddy/config/Caddyfile").read_text() == served


NEW_CADDY = f"{CADDY}.1"


@pytest.mark.slow
def test_the_proxy_serves_on_while_its_new_version_is_fetched_and_when_there_is_none(machine: Machine) -> None:
    machine.roll(OLD)
    machine.forget_calls()
    done = machine.roll(NEW, CADDY_IMAGE=NEW_CADDY)
    assert done.returncode == 1
    assert "no image" in done.stdout
    assert (machine.proxy(), machine.served()) == (CADDY, OLD)
    assert not [call for call in machine.calls() if "rm --force memories-caddy" in call]
    with (machine.folder / "registry").open("a") as registry:
        registry.write(f"{NEW_CADDY}\n")
    assert machine.roll(NEW, CADDY_IMAGE=NEW_CADDY).returncode == 0
    assert (machine.proxy(), machine.served()) == (NEW_CADDY, NEW)


@pytest.mark.slow
def test_the_proxy_that_was_there_comes_back_when_its_new_version_does_not_start(machine: Machine) -> None:
    machine.roll(OLD)
    for name in ("registry", "broken"):
        with (machine.folder / name).open("a") as images:
            images.write(f"{NEW_CADDY}\n")
    done = machine.roll(NEW, CADDY_IMAGE=NEW_CADDY)
    assert done.returncode == 1
    assert (machine.proxy(), machine.served()) == (CADDY, OLD)
    assert machine.running() == {"memories-api-8001": OLD}


@pytest.mark.slow
@pytest.mark.parametrize("record", ["", "198.51.100.1 memories.example.org\n"])
def test_a_domain_that_does_not_lead_here_changes_nothing(machine: Machine, record: str) -> None:
    own = "203-0-113-9.sslip.io"
    assert machine.roll(OLD, SITE_ADDRESS=own).returncode == 0
    (machine.folder / "dns").write_text(record)
    (machine.folder / "parameter").write_text(ENVIRONMENT + "DJANGO_ALLOWED_HOSTS=memories.example.org\n")
    machine.forget_calls()
    done = machine.roll(NEW)
    assert done.returncode == 1
    assert f"memories.example.org does not lead to this machine: make its A record {ADDRESS} first" in done.stdout
    back = machine.roll(OLD)
    assert back.returncode == 0, "to take the release back is nothing to do"
    assert not [call for call in machine.calls() if call.startswith("docker run")]
    assert machine.served() == OLD
    assert f"\n{own} {{" in machine.caddyfile()


@pytest.mark.slow
def test_a_domain_that_is_served_already_is_not_looked_up_again(machine: Machine) -> None:
    machine.roll(OLD)
    (machine.folder / "dns").write_text("")
    assert machine.roll(NEW).returncode == 0
    assert "memories.example.org, 203-0-113-9.sslip.io {" in machine.caddyfile()


def test_a_roll_that_waited_for_another_has_time_enough(machine: Machine) -> None:
    script = (HOST / "roll.sh").read_text()
    seconds = sum(int(n) for n in re.findall(r"(?:lock_seconds=|drain_seconds=|ROLL_PATIENCE:-)(\d+)", script))
    document = re.search(r'timeoutSeconds = "(\d+)"', (ROOT / "deploy/terraform/ec2.tf").read_text())
    assert document
    assert seconds + 300 < int(document[1]), "and the image has to be fetched"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["pull", "run", "exec", "stop", "rm", "rmi"])
def test_a_roll_that_is_killed_ends_well_when_it_is_run_again(machine: Machine, command: str) -> None:
    machine.roll(OLD)
    machine.roll(NEXT)
    machine.dies_at(command)
    assert machine.roll(NEW).returncode != 0
    assert machine.served() in (NEXT, NEW), "somebody serves all the time"
    done = machine.roll(NEW)
    assert done.returncode == 0, done.stdout
    assert list(machine.running().values()) == [NEW]
    assert machine.served() == NEW


@pytest.mark.slow
def test_a_roll_that_is_killed_can_be_followed_by_one_back(machine: Machine) -> None:
    machine.roll(OLD)
    machine.dies_at("stop")
    machine.roll(NEW)
    done = machine.roll(OLD)
    assert done.returncode == 0, done.stdout
    assert list(machine.running().values()) == [OLD]
    assert machine.served() == OLD


@pytest.mark.slow
def test_the_same_release_again_starts_nothing(machine: Machine) -> None:
    machine.roll(OLD)
    machine.forget_calls()
    done = machine.roll(OLD)
    assert done.returncode == 0, done.stdout
    assert not [call for call in machine.calls() if call.startswith("docker run")]
    assert "runs already" in done.stdout


@pytest.mark.slow
def test_the_same_release_is_started_anew_when_its_environment_changed_or_a_person_wants_it(machine: Machine) -> None:
    machine.roll(OLD)
    (machine.folder / "parameter").write_text(ENVIRONMENT + "MEMORIES_LOG_LEVEL=DEBUG\n")
    machine.roll(OLD)
    assert machine.running() == {"memories-api-8002": OLD}
    assert "DEBUG" in (machine.folder / "containers/memories-api-8002/environment").read_text()
    machine.roll(OLD, "--force")
    assert machine.running() == {"memories-api-8001": OLD}


@pytest.mark.slow
def test_the_images_of_what_serves_and_what_served_before_stay(machine: Machine) -> None:
    for tag in (OLD, NEW, NEXT):
        machine.roll(tag)
    assert machine.images() == [f"api-{NEW}", f"api-{NEXT}"]


@pytest.mark.slow
def test_a_release_that_left_the_registry_can_be_rolled_back_to_from_the_machine(machine: Machine) -> None:
    machine.roll(OLD)
    machine.roll(NEW)
    (machine.folder / "registry").write_text("")
    assert machine.roll(OLD).returncode == 0
    assert machine.served() == OLD
    missing = machine.roll(NEXT)
    assert missing.returncode == 1
    assert "There is no image" in missing.stdout
    assert machine.served() == OLD


def names_of_children() -> list[str]:
    return [child.name() for child in psutil.Process().children(recursive=True)]


@pytest.mark.slow
def test_a_roll_waits_for_the_one_before_it(machine: Machine) -> None:
    machine.roll(OLD)
    machine.forget_calls()
    before = subprocess.Popen(["flock", machine.folder / "state/roll.lock", "cat"], stdin=subprocess.PIPE)
    wait_for(lambda: bool(psutil.Process(before.pid).children()))  # it has the lock
    with ThreadPoolExecutor() as pool:
        roll = pool.submit(machine.roll, NEW)
        wait_for(lambda: [name for name in names_of_children() if name == "flock"] == ["flock", "flock"])
        assert machine.calls() == []
        before.communicate()
        assert roll.result().returncode == 0
    assert machine.served() == NEW


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IMAGE_TAG", "abc; rm -rf /"),
        ("IMAGE_TAG", "$(id)"),
        ("IMAGE_TAG", "latest"),
        ("IMAGE_TAG", "abcdef1\nid"),
        ("IMAGE_TAG", ""),
        ("APP_NAME", "../memories"),
        ("AWS_REGION", "us-east-1 --debug"),
        ("SITE_ADDRESS", "a.example|s/x/y/"),
        ("SITE_ADDRESS", "a.example { }"),
        ("OWN_ADDRESS", "a.example, b.example"),
        ("PUBLIC_IP", "203.0.113.9|x"),
        ("CADDY_IMAGE", "caddy --privileged"),
        ("REPOSITORY_URL", "repository --privileged"),
        ("LOG_GROUP", "a group"),
    ],
)
def test_poisoned_settings_are_refused_before_anything_is_called(machine: Machine, name: str, value: str) -> None:
    done = machine.roll(OLD, **{name: value})
    assert done.returncode == 1
    assert name in done.stdout
    assert machine.calls() == []


@pytest.mark.parametrize("line", ["just words", "export A=1", "--privileged", "PATH"])
def test_an_environment_that_is_not_name_and_value_is_refused(machine: Machine, line: str) -> None:
    (machine.folder / "parameter").write_text(f"{ENVIRONMENT}{line}\n")
    done = machine.roll(OLD)
    assert done.returncode == 1
    assert "not NAME=VALUE" in done.stdout
    assert machine.running() == {}


# --- the proxy


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Its configuration, as Caddy understands it."""
    if not shutil.which("caddy"):
        pytest.skip("there is no caddy on this machine (on Debian: apt-get install caddy)")
    config = (HOST / "Caddyfile").read_text()
    for name, value in (
        ("@SITES@", "memories.example.org, 203-0-113-9.sslip.io"),
        ("@PORT@", "8001"),
        ("@MAX_BODY_MB@", "512"),
    ):
        config = config.replace(name, value)
    path = tmp_path_factory.mktemp("proxy") / "Caddyfile"
    path.write_text(config)
    adapted = subprocess.run(
        ["caddy", "adapt", "--adapter", "caddyfile", "--config", path, "--validate"],
        capture_output=True,
        text=True,
        env={"HOME": str(path.parent), "PATH": "/usr/bin:/bin"},
    )
    assert adapted.returncode == 0, adapted.stderr
    found: dict[str, object] = json.loads(adapted.stdout.splitlines()[0])  # its log follows
    return found


def test_the_proxy_logs_neither_addresses_nor_headers_nor_who_asks(proxy: dict[str, object]) -> None:
    logs = json.loads(json.dumps(proxy["logging"]))["logs"]
    assert set(logs) == {"default", "log0"}, "errors and requests: the first one has requests in it too"
    for log in logs.values():
        fields = log["encoder"]["fields"]
        gone = {name for name, field in fields.items() if field["filter"] == "delete"}
        assert gone >= {"request>uri", "request>headers", "resp_headers"}
        assert fields["request>remote_ip"]["filter"] == "ip_mask"
        assert "status" not in fields
        assert "duration" not in fields


def test_the_proxy_cannot_be_told_what_to_do_over_the_network(proxy: dict[str, object]) -> None:
    assert proxy["admin"] == {"listen": "unix//run/caddy/admin.sock"}


def test_the_proxy_bounds_bodies_and_slow_clients_and_lets_loads_break_nothing(proxy: dict[str, object]) -> None:
    server = json.loads(json.dumps(proxy["apps"]))["http"]["servers"]["srv0"]
    assert server["read_header_timeout"] == 10 * 10**9
    assert server["read_timeout"] > 0
    text = json.dumps(server)
    assert '"max_size": 536870912' in text
    assert "flush_interval" not in text, "-1 breaks what is under way at each load; events flow without it"


def test_dependabot_looks_where_the_version_of_the_proxy_stands() -> None:
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    (docker,) = (entry for entry in updates if entry["package-ecosystem"] == "docker")
    assert "/deploy/host" in docker["directories"]
    assert re.search(r"^FROM caddy:\d+\.\d+\.\d+$", (HOST / "caddy.Dockerfile").read_text(), re.MULTILINE)


# --- what the alarms hear


@pytest.mark.parametrize(("exit_code", "well"), [(0, 1), (22, 0), (60, 0), (7, 0)])
def test_the_api_is_well_when_it_answers_at_its_address_with_a_certificate(
    machine: Machine, exit_code: int, well: int
) -> None:
    (machine.folder / "public").write_text(str(exit_code))
    done = machine.run("api-well.sh")
    assert done.returncode == 0, done.stdout
    (told,) = (machine.folder / "metrics").read_text().splitlines()
    assert told.endswith(f"--namespace memories --metric-name ApiWell --value {well}")


# --- the first boot


def render(name: str, **values: str) -> str:
    """As Terraform's templatefile does what these templates use."""
    text = (HOST / name).read_text()
    text = re.sub(r"\$\{join\(\", \", (\w+)\)\}", r"${\1}", text)
    keep = values.pop("api", "true") == "true"
    text = re.sub(
        r"^%\{ if api ~\}\n(.*?)^%\{ endif ~\}\n",
        lambda m: m[1] if keep else "",
        text,
        flags=re.DOTALL | re.MULTILINE,
    )
    return re.sub(r"(?<!\$)\$\{(\w+)\}", lambda found: values[found[1]], text)


def packed(name: str) -> str:
    return base64.b64encode(gzip.compress((HOST / name).read_bytes(), 9)).decode()


def boot(api: bool) -> str:
    names = {"app_name": "memories", "region": "us-east-1"}
    install = render(
        "install.sh.tftpl",
        **names,
        repository_url="123456789012.dkr.ecr.us-east-1.amazonaws.com/memories",
        site_address="memories.example.org",
        log_group="/memories/host",
        own_address="203-0-113-9.sslip.io",
        public_ip=ADDRESS,
        caddy_image=CADDY,
        roll_script=packed("roll.sh"),
        api_well_script=packed("api-well.sh"),
        caddyfile=packed("Caddyfile"),
    )
    cidrs = "172.31.252.0/24, 172.31.253.0/24"
    return render("boot.sh.tftpl", **names, nat_cidrs=cidrs, api=str(api).lower(), install=install if api else "")


@pytest.mark.parametrize("api", [True, False])
def test_user_data_is_a_script_that_fits(api: bool, tmp_path: Path) -> None:
    script = boot(api)
    assert len(script.encode()) < 16 * 1024, "AWS takes no more"
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""
    assert "${" not in script
    assert ("docker" in script) == api, "without the API the machine does nothing but NAT"
    assert ("\nExecStart=-/bin/bash /opt/memories/api-well.sh\n" in script) == api
    assert "ip saddr { 172.31.252.0/24, 172.31.253.0/24 } masquerade" in script


@pytest.mark.parametrize("api", [True, False])
def test_there_is_somewhere_to_put_memory_before_the_first_package_is_installed(api: bool) -> None:
    script = boot(api)
    assert 0 < script.index("swapon --all") < script.index("retry dnf install")


def test_the_settings_are_all_that_the_scripts_want(machine: Machine) -> None:
    text = re.search(r">/opt/memories/settings <<'END'\n(.*?)\nEND", boot(True), re.DOTALL)
    assert text
    names = {line.split("=")[0] for line in text[1].splitlines()}
    wanted = re.search(r"for name in ([A-Z_ ]+); do", (HOST / "roll.sh").read_text())
    assert wanted
    assert names == set(wanted[1].split()) - {"IMAGE_TAG"}


def test_a_machine_gets_the_script_that_rolls_as_it_is_here(tmp_path: Path) -> None:
    parts = re.findall(r"base64 -d <<'END' \| gunzip >/opt/memories/(\S+)\n(\S+)\nEND\n", boot(True))
    assert {name: gzip.decompress(base64.b64decode(text)).decode() for name, text in parts} == {
        "roll.sh": (HOST / "roll.sh").read_text(),
        "api-well.sh": (HOST / "api-well.sh").read_text(),
        "Caddyfile": (HOST / "Caddyfile").read_text(),
    }


def test_there_is_nothing_secret_on_the_machine() -> None:
    script = boot(True)
    for word in ("SECRET", "PASSWORD", "API_KEY", "DATABASE_URL"):
        assert word not in script.replace("--password-stdin", "")
