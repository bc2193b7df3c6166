"""The bill: what it counts, what is free of it, and that it knows everything in a plan."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deploy import bill, prices
from deploy.bill import Charge
from deploy.usage import Month, Resource, UnknownResource, resources, usage

ROOT = Path(__file__).parents[2]
PRICES = prices.load()
DISK = [{"volume_type": "gp3", "volume_size": 8}]
LIFECYCLE = [{"expiration": [{"days": 90}]}, {"expiration": [], "abort_incomplete_multipart_upload": [{}]}]
NO_FOLDER = [{"size": 512}]


def resource(type_: str, **values: Any) -> Resource:
    return Resource(f"{type_}.it", type_, values)


def function(role: str, **values: Any) -> Resource:
    sizes = {"architectures": ["arm64"], "memory_size": 1024, "ephemeral_storage": NO_FOLDER}
    return resource("aws_lambda_function", function_name=f"memories-{role}", **{**sizes, **values})


def images(**kept: int) -> Resource:
    rules = [
        {
            "selection": {
                "tagStatus": "tagged",
                "tagPrefixList": [prefix],
                "countType": "imageCountMoreThan",
                "countNumber": n,
            }
        }
        for prefix, n in kept.items()
    ]
    return resource("aws_ecr_lifecycle_policy", policy=json.dumps({"rules": rules}))


def charges(*built: Resource, memories: int = 300) -> dict[str, Charge]:
    used = usage(Month(memories, PRICES.assumed, built))
    return {charge.line.name: charge for charge in bill.bill(used, PRICES)}


# --- what is free ---


def test_one_small_machine_is_free_in_the_first_year_and_costs_its_price_after_it() -> None:
    machine = charges(resource("aws_instance", instance_type="t2.micro", root_block_device=DISK))["ec2.t2.micro"]
    assert machine.first_year == 0
    assert machine.list_price == Decimal("0.0116") * 730


def test_two_small_machines_share_the_free_hours_of_one() -> None:
    machine = resource("aws_instance", instance_type="t2.micro", root_block_device=DISK)
    assert charges(machine, machine)["ec2.t2.micro"].first_year == Decimal("0.0116") * (2 * 730 - 750)


def test_a_machine_that_is_not_on_the_free_tier_costs_from_the_first_hour() -> None:
    machine = charges(resource("aws_instance", instance_type="t4g.micro", root_block_device=DISK))["ec2.t4g.micro"]
    assert machine.first_year == machine.list_price == Decimal("0.0084") * 730


def test_what_is_always_free_is_free_after_the_first_year_too() -> None:
    alarms = [resource("aws_cloudwatch_metric_alarm")] * 10
    assert charges(*alarms)["cloudwatch.alarms"].list_price == 0
    assert charges(*alarms, *alarms[:1])["cloudwatch.alarms"].first_year == Decimal("0.1")


def test_an_alarm_on_several_metrics_counts_each() -> None:
    queries = [{"metric": [{}]}, {"metric": [{}]}, {"metric": [], "expression": "a + b"}]
    assert charges(resource("aws_cloudwatch_metric_alarm", metric_query=queries))["cloudwatch.alarms"].quantity == 2


def test_the_free_seconds_of_functions_are_shared_by_their_architectures() -> None:
    both = charges(function("worker"), function("worker", architectures=["x86_64"]), memories=10_000)
    seconds = both["lambda.arm64"].quantity + both["lambda.x86_64"].quantity
    assert seconds > 400_000
    paid = both["lambda.x86_64"].list_price / Decimal("0.0000166667") + both["lambda.arm64"].list_price / Decimal(
        "0.0000133334"
    )
    assert round(paid) == seconds - 400_000


# --- what is counted ---


def test_a_trigger_polls_all_day_whether_there_is_work_or_not() -> None:
    idle = charges(resource("aws_lambda_event_source_mapping"), memories=0)["sqs.requests"]
    assert idle.quantity == 648_000
    assert idle.list_price == 0


def test_a_second_trigger_would_leave_what_is_free_of_sqs() -> None:
    trigger = resource("aws_lambda_event_source_mapping")
    assert charges(trigger, trigger, memories=0)["sqs.requests"].first_year > 0


def test_a_folder_above_512_mb_is_paid_by_the_second() -> None:
    assert "lambda.folder" in charges(function("worker", ephemeral_storage=[{"size": 2048}]))
    assert charges(function("worker"))["lambda.folder"].list_price == 0


def test_audio_is_kept_for_as_long_as_the_lifecycle_of_the_bucket_says() -> None:
    bucket = resource("aws_s3_bucket")
    for days in (30, 90):
        rules = resource("aws_s3_bucket_lifecycle_configuration", rule=[{"expiration": [{"days": days}]}])
        kept = charges(bucket, rules)["s3.storage"].quantity
        assert round(kept, 3) == round(Decimal(300 * 3) / 1024 * days / 30, 3)


def test_images_are_counted_as_far_as_they_are_kept() -> None:
    few, many = (
        charges(resource("aws_ecr_repository"), images(api=n, **{"lambda": n}))["ecr.storage"] for n in (2, 20)
    )
    assert few.first_year == 0
    assert many.first_year > few.list_price > 0


def test_a_database_in_two_zones_costs_twice_and_no_free_tier_covers_it_all() -> None:
    one, two = (
        charges(resource("aws_db_instance", instance_class="db.t3.micro", allocated_storage=20, multi_az=multi))
        for multi in (False, True)
    )
    assert one["rds.db.t3.micro"].first_year == one["rds.storage"].first_year == 0
    assert two["rds.db.t3.micro"].list_price == 2 * one["rds.db.t3.micro"].list_price
    assert two["rds.db.t3.micro"].first_year > 0


def test_the_free_hours_of_an_address_are_for_a_machine_and_not_for_a_nat_gateway() -> None:
    address = resource("aws_eip")
    assert charges(address)["ipv4"].first_year == 0
    assert charges(address, resource("aws_nat_gateway"))["ipv4.other"].first_year == Decimal("3.65")
    assert charges(address, resource("aws_nat_gateway"))["ipv4"].quantity == 0


def test_a_public_database_pays_for_its_address() -> None:
    values = {"instance_class": "db.t3.micro", "allocated_storage": 20}
    assert charges(resource("aws_db_instance", **values, publicly_accessible=True))["ipv4.other"].first_year > 0


# --- what is not known ---


def test_a_resource_that_the_bill_does_not_know_is_an_error_that_names_it() -> None:
    with pytest.raises(UnknownResource, match=r"aws_kendra_index\.it: .* does not know what aws_kendra_index costs"):
        charges(resource("aws_kendra_index"))


def test_a_machine_without_a_price_is_an_error_that_names_it() -> None:
    with pytest.raises(UnknownResource, match=r"no price for ec2\.p5\.48xlarge"):
        charges(resource("aws_instance", instance_type="p5.48xlarge", root_block_device=DISK))


def test_a_function_of_which_nobody_knows_what_calls_it_is_an_error() -> None:
    with pytest.raises(UnknownResource, match="memories-mystery"):
        charges(function("mystery"))


@pytest.mark.parametrize(
    "paid",
    [
        resource("aws_vpc_endpoint", vpc_endpoint_type="Interface"),
        resource("aws_ssm_parameter", tier="Advanced"),
    ],
    ids=["endpoint", "parameter"],
)
def test_what_is_free_in_one_form_only_is_an_error_in_another(paid: Resource) -> None:
    with pytest.raises(UnknownResource):
        charges(paid)


# --- plans ---


def test_resources_of_modules_count_and_data_sources_do_not() -> None:
    entry = {"address": "aws_eip.api", "type": "aws_eip", "values": {}}
    module = {"resources": [entry, {**entry, "mode": "data"}], "child_modules": [{"resources": [entry]}]}
    assert len(resources({"planned_values": {"root_module": module}})) == 2


def test_what_is_recorded_of_a_plan_gives_the_same_bill() -> None:
    built = [
        resource("aws_instance", instance_type="t2.micro", root_block_device=DISK, user_data="long"),
        resource("aws_s3_bucket", bucket="memories"),
        resource("aws_s3_bucket_lifecycle_configuration", rule=LIFECYCLE),
        resource("aws_ecr_repository", name="memories"),
        images(api=5),
        function("worker", image_uri="an image"),
    ]
    kept = resources(json.loads(bill.trimmed(built)))
    assert charges(*kept) == charges(*built)
    assert "long" not in bill.trimmed(built)


def test_the_credits_of_a_new_account_last_until_they_are_spent_or_lapse() -> None:
    assert bill.lasting(Decimal(50), PRICES) == "4.0"
    assert bill.lasting(Decimal(1), PRICES) == "12.0"


def test_openai_is_told_apart_and_grows_with_the_minutes() -> None:
    few, many = (bill.openai_usd(count, PRICES) for count in (300, 600))
    assert many == 2 * few > Decimal("0.0045") * 3 * 300


def test_each_price_says_where_it_is_from() -> None:
    assert all("https://" in line.source for line in PRICES.lines.values())


# --- what is claimed ---


def test_300_recordings_a_month_cost_nothing_on_the_classic_free_tier_but_what_rounds_to_it() -> None:
    month = charges(*bill.recorded()["ec2-classic"])
    assert bill.cents(bill.totals(list(month.values())).first_year) == "0.00"
    assert {name for name, charge in month.items() if charge.first_year} == {"lambda.folder", "s3.writes"}


@pytest.mark.parametrize("way", bill.recorded())
def test_what_is_always_free_stays_so_at_10_000_recordings_a_month(way: str) -> None:
    month = charges(*bill.recorded()[way], memories=10_000)
    for line in ("lambda.requests", "sqs.requests", "cloudwatch.alarms", "cloudwatch.metrics", "cloudwatch.logs"):
        assert line not in month or month[line].list_price == 0


# --- the command ---


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.bill", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command_prints_the_bill_of_a_plan(tmp_path: Path) -> None:
    plan = tmp_path / "mine.json"
    machine = resource("aws_instance", instance_type="t2.micro", root_block_device=DISK)
    plan.write_text(bill.trimmed([machine]))
    printed = run("--plan", plan, "--memories", "1")
    assert printed.returncode == 0, printed.stderr
    assert "mine, 1 memories" in printed.stdout
    assert "ec2.t2.micro" in printed.stdout


@pytest.mark.parametrize(
    "content",
    ["", "# Memories", "{}", "[]", "null", '{"planned_values": {"root_module": {"resources": [{"address": "a"}]}}}'],
)
def test_what_is_no_plan_is_refused_with_a_sentence(content: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(content)
    refused = run("--plan", plan)
    assert refused.returncode == 1
    assert refused.stderr == f"script/bill: {plan} is not what `terraform show -json` prints of a saved plan.\n"


def test_a_plan_that_is_not_there_is_refused_with_a_sentence(tmp_path: Path) -> None:
    assert "No such file" in run("--plan", tmp_path / "none.json").stderr


@pytest.mark.parametrize("count", ["abc", "-1", "1.5", ""])
def test_what_is_no_number_of_recordings_is_said_to_be_none(count: str) -> None:
    refused = run(f"--memories={count}")
    assert refused.returncode == 2
    assert f"{count!r} is not a number of recordings" in refused.stderr


@pytest.mark.parametrize("content", ["as_of = ", 'region = "us-east-1"', "as_of = 2026-01-01\nregion = 1\ncredits = 1"])
def test_what_is_no_price_list_is_refused_with_its_name(content: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"^prices\.toml (has no|is not a price list)"):
        prices.load(file)


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    done = subprocess.run(
        f"'{sys.executable}' -m deploy.bill | true", shell=True, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
