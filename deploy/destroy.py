"""script/deploy-destroy APP_NAME: takes away all that Terraform made, and says what is left."""

from __future__ import annotations

from typing import Any

from deploy import arguments, buckets, console, terraform_cli
from deploy.console import DeployError, client, say, step
from deploy.terraform_cli import MAIN, PLACEHOLDERS, State, Terraform

LEFT = """
{app_name} is gone, with its database. What is left costs nothing: the roles for GitHub, and the bucket of Terraform's
state, {bucket}. To remove these too, with your own rights:

  script/deploy-bootstrap OWNER/REPOSITORY --remove
"""


def main() -> None:
    parser = arguments.Parser("deploy-destroy", "Take away all that Terraform made.")
    parser.add_argument("name", metavar="APP_NAME", help="the app's name once more, to be sure")
    parser.app_name()
    parser.region()
    parser.state_bucket()
    parser.add_argument("--delete-audio", action="store_true", help="also the recordings; without it they stop this")
    parser.dry_run()
    given = parser.parse_args()
    if given.name != given.app_name:
        raise DeployError(f"{given.name!r} is not {given.app_name!r}.", f"script/deploy-destroy {given.app_name}")
    state = State(given.state_bucket, given.region)
    with step("Terraform, the account, the state"):
        say(f"    account {terraform_cli.check_there(state)}")
    # Nothing is made, so the secrets that Terraform asks for go nowhere.
    wanted = {"app_name": given.app_name, "aws_region": given.region}
    terraform = Terraform(MAIN, PLACEHOLDERS | wanted, given.dry_run)
    Terraform(MAIN, terraform.variables).init(state)  # also in a dry run: it only looks
    audio = terraform.outputs().get("bucket_name")
    s3 = client("s3", given.region)
    with step("The recordings"):
        look_after_audio(s3, audio, given)
    with step("Destroy"):
        destroy(terraform, s3, audio, given.delete_audio)
    if not given.dry_run:
        say(LEFT.format(app_name=given.app_name, bucket=given.state_bucket))


def look_after_audio(s3: Any, audio: str | None, given: Any) -> None:
    there = audio and buckets.exists(s3, audio)
    held = buckets.count(s3, audio) if audio and there else 0
    say(f"    {held} in {audio}" if there else "    no bucket, so no recordings")
    if held and not given.delete_audio:
        raise DeployError(
            f"The bucket {audio} holds {held} recordings.",
            "people may want them first (docs/operations.md); with --delete-audio they are deleted.",
        )
    if held and given.dry_run:
        say(f"Would delete {held} recordings.")
    elif held and audio:
        buckets.empty(s3, audio)


def destroy(terraform: Terraform, s3: Any, audio: str | None, delete_audio: bool) -> None:
    try:
        terraform.apply(True, "-destroy")
    except DeployError as error:
        if not (delete_audio and audio and "--delete-audio" in error.next_step):
            raise
        buckets.empty(s3, audio)  # recordings that came in until the API was gone
        terraform.apply(True, "-destroy")


if __name__ == "__main__":
    console.run(main)
