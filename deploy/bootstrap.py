"""script/deploy-bootstrap: what must be there before GitHub can deploy. A person with the rights to make roles runs it
once; run again, it brings that up to date.

The bucket of the state is made first, by one call, and Terraform imports it. So even the state of bootstrap/ is in it
from its first line on: nothing is left on a laptop, nothing has to be moved, and a run that was killed is simply run
again, on any machine.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy import arguments, buckets, console, terraform_cli
from deploy.console import DeployError, client, say, step
from deploy.terraform_cli import BOOTSTRAP, LOCK, MAIN, PLACEHOLDERS, State, Terraform

BUCKET = "aws_s3_bucket.state"
UNSAVED = BOOTSTRAP / "errored.tfstate"  # what Terraform leaves when the bucket does not take its state
REPOSITORY = "aws_ecr_repository.images"  # before the first push, and so before the first deploy

BACKEND = """
terraform {
  backend "s3" {
    key          = "bootstrap/terraform.tfstate"
    use_lockfile = true
    encrypt      = true
  }
}
"""

NEXT = """
Now tell GitHub (`gh` asks for the values of secrets itself, so that they are in no history of commands):

  gh api --method PUT repos/{repository}/environments/production
  # In its settings: the reviewers who approve a deploy, and main as the only branch.
  gh variable set AWS_REGION --body {region} --repo {repository}
  gh variable set AWS_BUILD_ROLE_ARN --body {build_role_arn} --repo {repository}
  gh variable set AWS_DEPLOY_ROLE_ARN --body {deploy_role_arn} --repo {repository}
  gh variable set TF_STATE_BUCKET --body {state_bucket} --repo {repository}
  gh variable set APP_NAME --body {app_name} --repo {repository}
  gh variable set API_RUNTIME --body ec2 --repo {repository}   # or lambda, or both
  # Before the first deploy only, if the machine is not to be arm64:
  # gh variable set ARCHITECTURE --body x86_64 --repo {repository}
  # Later, with a domain of your own and its A record made (docs/deployment.md):
  # gh variable set DOMAIN_NAME --body YOUR_DOMAIN --repo {repository}
  gh secret set ALARM_EMAIL --env production --repo {repository}   # your mail address
  openssl rand -hex 24 | gh secret set DB_PASSWORD --env production --repo {repository}
  openssl rand -base64 48 | gh secret set DJANGO_SECRET_KEY --env production --repo {repository}
  gh secret set OPENAI_API_KEY --env production --repo {repository}

Then run the workflow CI/CD on main: it tests, builds, and waits for a reviewer before it deploys. From then on, so does
each push to main.

  gh workflow run ci-cd.yml --ref main --repo {repository}
"""


def name_of(repository: str) -> str:
    """As everything but a token's subject has it: without numbers."""
    return re.sub(r"@\d+", "", repository)


def main() -> None:
    parser = arguments.Parser("deploy-bootstrap", "Make what must be there before GitHub can deploy.")
    parser.add_argument(
        "repository",
        type=arguments.repository,
        help="as GitHub signs it: with both numbers, OWNER@1234/REPOSITORY@5678, if it is of 2026-07-15 or later",
    )
    parser.app_name()
    parser.region()
    parser.state_bucket(default="APP_NAME-terraform-ACCOUNT")
    parser.add_argument("--yes", action="store_true", help="do not ask before each apply")
    parser.add_argument("--remove", action="store_true", help="take it away again, after script/deploy-destroy")
    parser.dry_run()
    given = parser.parse_args()
    with step("Terraform, the account"):
        terraform_cli.check_installed()
        account = terraform_cli.account_of(given.region)
        bucket = given.state_bucket or f"{given.app_name}-terraform-{account}"
        say(f"    account {account}, state in {bucket}")
    state = State(bucket, given.region)
    variables = {
        "app_name": given.app_name,
        "aws_region": given.region,
        "github_repository": given.repository,
        "state_bucket_name": bucket,
    }
    with copy_with_backend() as folder:
        roles = Terraform(folder, variables, given.dry_run)
        if given.remove:
            remove(roles, state, given)
        else:
            make(roles, state, given)


@contextmanager
def copy_with_backend() -> Iterator[Path]:
    """bootstrap/ names no backend, so that it can be tried without a bucket: this copy of it has one."""
    with tempfile.TemporaryDirectory(prefix="deploy-") as scratch:
        folder = Path(scratch) / BOOTSTRAP.name
        shutil.copytree(BOOTSTRAP, folder, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*"))
        (folder / "backend.tf").write_text(BACKEND)
        try:
            yield folder
        finally:
            if (folder / UNSAVED.name).exists():
                shutil.copy(folder / UNSAVED.name, UNSAVED)


def make(roles: Terraform, state: State, given: Any) -> None:
    with step("The bucket of the state"):
        make_bucket(roles, state)
    with step("Roles for GitHub"):
        roles.init(state)
        push_unsaved(roles)
        adopt(roles, BUCKET, state.bucket)
        roles.apply(given.yes)
    with step("The repository of images"):
        # Nothing but the repository is made, so what is asked for besides its name goes nowhere.
        wanted = {"app_name": given.app_name, "aws_region": given.region}
        images = Terraform(MAIN, PLACEHOLDERS | wanted, given.dry_run)
        images.init(state)
        images.apply(given.yes, f"-target={REPOSITORY}")
    if not given.dry_run:
        say(NEXT.format(**roles.outputs(), repository=name_of(given.repository), app_name=given.app_name))


def make_bucket(roles: Terraform, state: State) -> None:
    s3 = client("s3", state.region)
    if roles.dry_run:
        say(f"Would {'keep' if buckets.exists(s3, state.bucket) else 'make'} {state.bucket}.")
    else:
        made = buckets.ensure(s3, state.bucket, state.region)
        say(f"    {state.bucket} {'was made' if made else 'is there'}")


def push_unsaved(roles: Terraform) -> None:
    """What an earlier run made, and could not write down."""
    if UNSAVED.exists():
        roles.call("state", "push", LOCK, str(UNSAVED))
        if not roles.dry_run:
            UNSAVED.unlink()


def adopt(roles: Terraform, resource: str, name: str) -> None:
    """Have Terraform look after what is there already."""
    if roles.dry_run or resource not in roles.resources():
        roles.call("import", "-input=false", LOCK, resource, name)


def remove(roles: Terraform, state: State, given: Any) -> None:
    s3 = client("s3", state.region)
    if not buckets.exists(s3, state.bucket):
        raise DeployError(f"There is no bucket {state.bucket}: it is removed already.")
    with step("Is anything left that stands on it?"):
        main_state = Terraform(MAIN, PLACEHOLDERS, roles.dry_run)
        main_state.init(state)
        if not roles.dry_run and (left := main_state.resources()):
            raise DeployError(
                f"There still is {left[0]}, and {len(left) - 1} more.",
                f"script/deploy-destroy {given.app_name}, first.",
            )
    with step("Roles for GitHub"):
        roles.init(state)
        # The bucket holds this state while the rest is destroyed: it goes last, as a whole, and not by Terraform.
        known = [BUCKET] if roles.dry_run else roles.resources()
        if kept := [resource for resource in known if resource.startswith("aws_s3_bucket")]:
            roles.call("state", "rm", LOCK, *kept)
        roles.apply(given.yes, "-destroy")
    with step("The bucket of the state"):
        if roles.dry_run:
            say(f"Would delete {state.bucket} with {buckets.count(s3, state.bucket)} objects.")
        else:
            buckets.empty(s3, state.bucket)
            s3.delete_bucket(Bucket=state.bucket)
    say("Nothing is left in AWS. In GitHub: delete the environment `production` and the variables.")


if __name__ == "__main__":
    console.run(main)
