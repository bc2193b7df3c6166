"""script/deploy-plan: what Terraform would change, saved for script/deploy-apply."""

from __future__ import annotations

import os
from pathlib import Path

from deploy import arguments, console, terraform_cli
from deploy.console import say, step
from deploy.terraform_cli import LOCK, MAIN, PLAN, State, Terraform


def main() -> None:
    parser = arguments.Parser("deploy-plan", "Look at what Terraform would change, and save that.")
    parser.app_name()
    parser.region()
    parser.tag()
    parser.state_bucket()
    parser.add_argument("--plan", type=Path, default=PLAN, help="the file to save it in")
    parser.dry_run()
    given = parser.parse_args()
    state = State(given.state_bucket, given.region)
    terraform_cli.check_secrets()
    with step("Terraform, the account, the state"):
        say(f"    account {terraform_cli.check_there(state)}")
    variables = {"app_name": given.app_name, "aws_region": given.region, "image_tag": given.tag}
    terraform = Terraform(MAIN, variables, given.dry_run)
    os.umask(0o077)  # what is planned is nobody else's affair
    with step("Plan"):
        terraform.init(state)
        plan = given.plan.resolve()
        new = plan.with_suffix(".new.tfplan")  # Terraform also saves one that failed half way
        if not given.dry_run:
            plan.unlink(missing_ok=True)
        terraform.call("plan", "-input=false", LOCK, f"-out={new}", quiet=True)
        terraform.call("show", "-no-color", str(new))
    if not given.dry_run:
        new.replace(plan)
        say(f"Saved as {plan}. Next: script/deploy-apply")
        warn(terraform, plan)


def warn(terraform: Terraform, plan: Path) -> None:
    for address in terraform_cli.losses(terraform.show(plan)):
        say(f"WARNING: this plan deletes {address} and what is in it.")


if __name__ == "__main__":
    console.run(main)
