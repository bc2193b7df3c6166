"""script/deploy-apply: does what script/deploy-plan saved."""

from __future__ import annotations

from pathlib import Path

from deploy import arguments, console, terraform_cli
from deploy.console import DeployError, step
from deploy.terraform_cli import LOCK, MAIN, PLAN, State, Terraform


def main() -> None:
    parser = arguments.Parser("deploy-apply", "Do what script/deploy-plan saved.")
    parser.region()
    parser.state_bucket()
    parser.add_argument(
        "--lose-data", action="store_true", help="even where the plan deletes the database or the audio"
    )
    parser.add_argument("--plan", type=Path, default=PLAN, help="the file that it was saved in")
    parser.dry_run()
    given = parser.parse_args()
    plan = given.plan.resolve()
    if not plan.exists():
        raise DeployError("There is no saved plan.", "script/deploy-plan, on this machine or in this job.")
    terraform_cli.check_secrets()  # they are in no plan
    state = State(given.state_bucket, given.region)
    with step("Terraform, the account, the state"):
        terraform_cli.check_there(state)
    terraform = Terraform(MAIN, dry_run=given.dry_run)
    if not given.lose_data:
        refuse_losses(terraform, plan)
    with step("Apply"):
        terraform.call("apply", "-input=false", LOCK, str(plan))
    if not given.dry_run:
        plan.unlink()
        terraform.call("output")


def refuse_losses(terraform: Terraform, plan: Path) -> None:
    if lost := terraform_cli.losses(terraform.show(plan)):
        raise DeployError(
            f"This plan deletes {', '.join(lost)}, with all that is in it.",
            "find out what changed (script/deploy-plan shows it); with --lose-data it is done all the same.",
        )


if __name__ == "__main__":
    console.run(main)
