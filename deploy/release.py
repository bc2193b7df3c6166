"""script/deploy-release: what is live becomes the images of one commit, or stays what it is.

Order: the images are there; the clock's new version migrates; the worker, the API's function and the clock are moved;
the machine rolls; the public address is looked at; the commit is written down as live. Whatever fails after the
migration, all that was moved is moved back. Migrations are not: each release works with the tables of the one after it
(expand, then contract), and what is applied is found applied next time.

Killed at any point, the next run ends well: each step looks at what is there and does what is missing. What was live
stands in two places: the parameter holds the last commit that came to its end, and an alias that was moved says which
version it pointed at before (deploy/functions.py). Two at once (the workflow lets one wait): each move is refused when
somebody else has moved in between, the machine rolls one after the other, and the one that finds another release at the
public address moves its own things back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy import arguments, console, functions, host, outputs, registry, smoke
from deploy.console import DeployError, Interrupted, say, step
from deploy.functions import Live
from deploy.outputs import Outputs

LONGEST = 900  # seconds that a function may run


@dataclass
class Release:
    made: Outputs
    tag: str
    patience: float
    functions: Any
    migrator: Any  # for the one call that must not be repeated
    ecr: Any
    ssm: Any
    was: dict[str, Live] = field(default_factory=dict)  # by function
    moved: dict[str, str] = field(default_factory=dict)  # version by function
    host_touched: bool = False

    @property
    def image(self) -> str:
        return f"{self.made.repository_url}:lambda-{self.tag}"

    @property
    def names(self) -> list[str]:
        """In the order in which they are moved: the clock last, since it only rings for what is stuck."""
        made = self.made
        found = (made.worker_function_name, made.api_function_name, made.clock_function_name)
        return [name for name in found if name]

    def look(self) -> tuple[str, str]:
        """The commit that is live, and the digest of the new image for functions."""
        with step(f"Images of {self.tag}"):
            digest = registry.digests(self.ecr, self.made.repository_url, self.tag)["lambda"]
        with step("What is live"):
            live = self.ssm.get_parameter(Name=self.made.release_parameter_name)["Parameter"]["Value"]
            self.was = {name: functions.live(self.functions, name, live) for name in self.names}
            say(f"    {live}: " + ", ".join(f"{name} version {was.before}" for name, was in self.was.items()))
        return live, digest

    def run(self) -> None:
        live, digest = self.look()
        clock = self.made.clock_function_name
        with step("New version of the clock"):
            versions = {clock: functions.publish(self.functions, clock, self.image, digest)}
        with step("Migrations"):
            applied = functions.migrate(self.migrator, clock, versions[clock], self.patience)
            say(f"    applied: {', '.join(applied) or 'none, all were there'}")
        try:
            self.move_functions(versions, digest)
            self.roll_host(self.tag)
            self.look_from_outside()
            with step("Writing it down"):
                self.write_down()
        except BaseException as error:
            with console.undisturbed():
                self.roll_back(live, error)
            raise
        self.prune()
        say(f"{self.tag} is live.")

    def move_functions(self, versions: dict[str, str], digest: str) -> None:
        for name in self.names:
            with step(f"Moving {name}"):
                version = versions.get(name) or functions.publish(self.functions, name, self.image, digest)
                self.moved[name] = version  # before the call: if it is cut off, it may have been heard
                functions.move(self.functions, name, self.was[name], version, self.tag)
                if name == self.made.api_function_name and self.made.function_url:
                    functions.let_url_invoke(self.functions, name)
                say(f"    version {self.was[name].version} -> {version}")

    def roll_host(self, tag: str) -> None:
        made = self.made
        if made.instance_id and made.roll_document_name:
            with step(f"Rolling the API on {made.instance_id} to {tag}"):
                self.host_touched = True
                host.roll(self.ssm, made.instance_id, made.roll_document_name, tag)

    def look_from_outside(self) -> None:
        for url in self.made.addresses:
            with step(f"Looking at {url}"):
                smoke.check(url, self.tag, self.patience)

    def write_down(self) -> None:
        self.ssm.put_parameter(Name=self.made.release_parameter_name, Value=self.tag, Type="String", Overwrite=True)

    def roll_back(self, live: str, error: BaseException) -> None:
        """Back to what was live, as far as it can be had; what cannot be moved back is named."""
        why = "interrupted" if isinstance(error, Interrupted) else error
        say(f"\nFAILED: {why}\nMoving back to {live}. Migrations stay: the release before works with them.")
        for name, version in self.moved.items():
            self.attempt(name, partial(self.move_back, name, version, live))
        if self.host_touched and live != self.tag:
            self.attempt("the machine", partial(self.roll_host, live))

    def move_back(self, name: str, version: str, live: str) -> None:
        now = functions.live(self.functions, name, live)
        before = self.was[name].before
        if now.version != version or now.version == before:
            return  # it was not moved, or not by us
        functions.point(self.functions, name, before, f"release {live}", now.revision)
        say(f"    {name}: version {version} -> {before}")

    def attempt(self, what: str, action: Callable[[], None]) -> None:
        try:
            action()
        except (DeployError, BotoCoreError, ClientError) as error:
            say(f"    {what} could not be moved back: {error}. Run script/deploy-release for a release that works.")

    def prune(self) -> None:
        with step("Old versions"):
            for name in self.names:
                try:
                    gone = functions.prune(self.functions, name, [self.was[name].before])
                    say(f"    {name}: {len(gone)} deleted")
                except (BotoCoreError, ClientError) as error:  # the release is live all the same
                    say(f"    {name}: not pruned ({error})")

    def describe(self) -> None:
        """What run() would do, by looking only."""
        live, digest = self.look()
        clock = self.made.clock_function_name
        say(f"Would migrate with a new version of {clock}.")
        for name in self.names:
            new = "has it already" if functions.code_of(self.functions, name, digest) else f"gets {self.image}"
            say(f"Would move {name}: its code {new}; {functions.ALIAS} is at version {self.was[name].version}.")
        if self.made.instance_id:
            say(f"Would roll the API on {self.made.instance_id} to api-{self.tag}, by {self.made.roll_document_name}.")
        for url in self.made.addresses:
            say(f"Would look at {url}.")
        say(f"Would write {self.made.release_parameter_name}: {live} -> {self.tag}.")


def main() -> None:
    parser = arguments.Parser("deploy-release", "Make one commit live: migrate, move the functions, roll the machine.")
    parser.tag()
    parser.app_name()
    parser.region()
    parser.add_argument("--outputs", type=Path, help="a file with what `terraform output -json` prints")
    parser.add_argument("--patience", type=arguments.seconds, default=smoke.PATIENCE, help="seconds to get well")
    parser.dry_run()
    given = parser.parse_args()
    made = outputs.read(given.outputs)
    if (made.app_name, made.region) != (given.app_name, given.region):
        raise DeployError(
            f"Terraform made {made.app_name} in {made.region}, but {given.app_name} in {given.region} is asked for.",
            "mend APP_NAME and AWS_REGION, or plan and apply for them.",
        )
    # A migration takes its time, and is not asked for twice: the first one may still be at it.
    migrator = console.client("lambda", given.region, attempts=1, read_timeout=LONGEST + 10, tcp_keepalive=True)
    release = Release(
        made,
        given.tag,
        given.patience,
        console.client("lambda", given.region),
        migrator,
        console.client("ecr", given.region),
        console.client("ssm", given.region),
    )
    if given.dry_run:
        release.describe()
    else:
        release.run()


if __name__ == "__main__":
    console.run(main)
