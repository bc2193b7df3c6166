"""What a month of the service uses, by the lines of AWS's price list: from the resources of a Terraform plan and the
number of memories. A resource of a type that is not known here is an error: it might cost something.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any

GIB = Decimal(1024)  # MB
KB_A_GIB = GIB * 1024
LISTED = 1000  # objects, by one request to S3

Usage = Mapping[str, Decimal]  # units, by line
Part = tuple[str, Decimal]


class UnknownResource(ValueError):
    """The plan holds something of which the bill cannot say what it costs."""


@dataclass(frozen=True, slots=True)
class Resource:
    address: str
    type: str
    values: Mapping[str, Any]


def resources(plan: Mapping[str, Any]) -> list[Resource]:
    """Those that `terraform show -json` of a plan says Terraform manages."""
    return list(_resources(plan["planned_values"]["root_module"]))


def _resources(module: Mapping[str, Any]) -> Iterator[Resource]:
    for entry in module.get("resources", ()):
        if entry.get("mode", "managed") == "managed":
            yield Resource(entry["address"], entry["type"], entry.get("values", {}))
    for child in module.get("child_modules", ()):
        yield from _resources(child)


@dataclass(frozen=True, slots=True)
class Month:
    """How much is asked of the service, and what it is built of."""

    memories: int
    assumed: Mapping[str, Decimal]
    resources: Sequence[Resource]

    def of(self, type_: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == type_]

    @property
    def audio_gb(self) -> Decimal:
        return self.memories * self.assumed["minutes"] * self.assumed["mb_a_minute"] / GIB

    @property
    def requests(self) -> Decimal:
        return self.memories * self.assumed["api_requests"]

    @property
    def retention_months(self) -> Decimal:
        rules = [rule for entry in self.of("aws_s3_bucket_lifecycle_configuration") for rule in entry.values["rule"]]
        days = [
            expiration["days"]
            for rule in rules
            for expiration in rule.get("expiration") or ()
            if expiration.get("days")
        ]
        if not days:
            raise UnknownResource("No rule of the plan says for how many days audio is kept.")
        return Decimal(max(days)) / self.assumed["days"]


def usage(month: Month) -> Usage:
    used: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line, quantity in chain(_traffic(month), *(_parts(resource, month) for resource in month.resources)):
        used[line] += quantity
    return used


def _parts(resource: Resource, month: Month) -> Iterator[Part]:
    if resource.type in METERED:
        yield from METERED[resource.type](resource, month)
    elif resource.type not in FREE:
        raise UnknownResource(f"{resource.address}: deploy/usage.py does not know what {resource.type} costs.")


# --- machines, network ---------------------------------------------------------------------------------------------


def _instance(resource: Resource, month: Month) -> Iterator[Part]:
    yield f"ec2.{resource.values['instance_type']}", month.assumed["hours"]
    for disk in resource.values["root_block_device"]:
        yield f"ebs.{disk['volume_type']}", Decimal(disk["volume_size"])
    if resource.values.get("associate_public_ip_address") and not month.of("aws_eip"):
        yield "ipv4", month.assumed["hours"]
    yield "cloudwatch.metrics", Decimal(1)  # how full its disk is (deploy/host/boot.sh.tftpl)


def _address(resource: Resource, month: Month) -> Iterator[Part]:
    yield "ipv4", month.assumed["hours"]


def _nat_gateway(resource: Resource, month: Month) -> Iterator[Part]:
    yield "nat_gateway.hours", month.assumed["hours"]
    # One of the addresses in the plan is its own, and so none of EC2's.
    yield "ipv4", -month.assumed["hours"]
    yield "ipv4.other", month.assumed["hours"]
    yield "nat_gateway.data", month.audio_gb


def _endpoint(resource: Resource, month: Month) -> Iterator[Part]:
    if resource.values.get("vpc_endpoint_type", "Gateway") != "Gateway":
        raise UnknownResource(f"{resource.address}: only gateway endpoints are free, and others have no price here.")
    yield from ()


def _traffic(month: Month) -> Iterator[Part]:
    answers = month.requests * month.assumed["api_kb"] / KB_A_GIB
    yield "transfer.internet", month.audio_gb * (1 + month.assumed["plays"]) + answers
    # Every second function runs in another zone than the NAT: out of the one, into the other.
    yield "transfer.zones", month.audio_gb / 2 * 2


# --- database ------------------------------------------------------------------------------------------------------


def _database(resource: Resource, month: Month) -> Iterator[Part]:
    copies = 2 if resource.values.get("multi_az") else 1
    yield f"rds.{resource.values['instance_class']}", copies * month.assumed["hours"]
    yield "rds.storage", Decimal(copies * resource.values["allocated_storage"])  # backups up to that size are free
    if resource.values.get("publicly_accessible"):
        yield "ipv4.other", month.assumed["hours"]


# --- functions and queues ------------------------------------------------------------------------------------------


def _function(resource: Resource, month: Month) -> Iterator[Part]:
    """By its name: the worker, the clock or the API."""
    role = resource.values["function_name"].rpartition("-")[2]
    if role not in ROLES:
        raise UnknownResource(f"{resource.address}: nothing is known of what calls {resource.values['function_name']}.")
    invocations, seconds = ROLES[role](month)
    (architecture,) = resource.values.get("architectures") or ["x86_64"]
    yield "lambda.requests", invocations
    yield f"lambda.{architecture}", seconds * resource.values["memory_size"] / GIB
    for folder in resource.values.get("ephemeral_storage") or ():
        yield "lambda.folder", seconds * (folder["size"] - 512) / GIB
    yield "cloudwatch.logs", invocations * month.assumed["log_kb"] / KB_A_GIB


def _worker(month: Month) -> tuple[Decimal, Decimal]:
    runs = month.memories * month.assumed["worker_runs"]
    return runs, runs * month.assumed["minutes"] * month.assumed["worker_seconds_a_minute"]


def _clock(month: Month) -> tuple[Decimal, Decimal]:
    runs = month.assumed["days"] * 24 * 60
    return runs, runs * month.assumed["clock_seconds"]


def _api(month: Month) -> tuple[Decimal, Decimal]:
    return month.requests, month.requests * month.assumed["api_seconds"]


ROLES: Mapping[str, Callable[[Month], tuple[Decimal, Decimal]]] = {"worker": _worker, "clock": _clock, "api": _api}


def _trigger(resource: Resource, month: Month) -> Iterator[Part]:
    """Lambda asks the queue all day, whether there is anything in it or not."""
    yield "sqs.requests", month.assumed["idle_polls"]
    yield "sqs.requests", month.memories * month.assumed["worker_runs"] * month.assumed["queue_requests"]


def _schedule(resource: Resource, month: Month) -> Iterator[Part]:
    """The clock looks for dead letters each minute, and its environments decrypt the secrets."""
    yield "sqs.requests", _clock(month)[0]
    yield "kms.requests", month.assumed["days"] * month.assumed["clock_starts_a_day"] * month.assumed["secrets"]
    yield "kms.requests", month.memories * month.assumed["worker_runs"] * month.assumed["secrets"]


# --- objects and images --------------------------------------------------------------------------------------------


def _bucket(resource: Resource, month: Month) -> Iterator[Part]:
    yield "s3.storage", month.audio_gb * month.retention_months
    yield "s3.writes", Decimal(month.memories)
    yield "s3.writes", _tidyings(month) * _lists(month)
    # A worker looks before it fetches, and so do those who listen.
    yield "s3.reads", 2 * month.memories * (month.assumed["worker_runs"] + month.assumed["plays"])


def _tidyings(month: Month) -> Decimal:
    """Hourly, and once more wherever the clock begins in a new environment."""
    return month.assumed["days"] * (24 + month.assumed["clock_starts_a_day"])


def _lists(month: Month) -> Decimal:
    """Requests of one tidying: pages of the objects, and the uploads that were broken off."""
    pages = -(-month.memories * month.retention_months // LISTED)
    return max(pages, Decimal(1)) + 1


def _repository(resource: Resource, month: Month) -> Iterator[Part]:
    kept = [number for policy in month.of("aws_ecr_lifecycle_policy") for number in _kept(policy)]
    if not kept:
        raise UnknownResource("No policy of the plan says how many images are kept.")
    yield "ecr.storage", (month.assumed["image_base_mb"] + max(kept) * month.assumed["release_mb"]) / GIB


def _kept(policy: Resource) -> Iterator[int]:
    """How many releases: the number of the images of each kind."""
    for rule in json.loads(policy.values["policy"])["rules"]:
        if rule["selection"]["countType"] == "imageCountMoreThan":
            yield rule["selection"]["countNumber"]


# --- watching ------------------------------------------------------------------------------------------------------


def _alarm(resource: Resource, month: Month) -> Iterator[Part]:
    queries = [query for query in resource.values.get("metric_query") or () if query.get("metric")]
    yield "cloudwatch.alarms", Decimal(len(queries) or 1)


def _metric(resource: Resource, month: Month) -> Iterator[Part]:
    yield "cloudwatch.metrics", Decimal(1)


def _roll(resource: Resource, month: Month) -> Iterator[Part]:
    """The API is on the machine, which asks it each five minutes whether it is well (deploy/host/api-well.sh)."""
    looks = month.assumed["days"] * 24 * 12
    yield "cloudwatch.metrics", Decimal(1)
    yield "sqs.requests", looks
    yield "s3.reads", looks


def _topic(resource: Resource, month: Month) -> Iterator[Part]:
    yield "sns.mails", month.assumed["mails"]


def _parameter(resource: Resource, month: Month) -> Iterator[Part]:
    if (resource.values.get("tier") or "Standard") != "Standard":
        raise UnknownResource(f"{resource.address}: only standard parameters are free, and others have no price here.")
    yield from ()


METERED: Mapping[str, Callable[[Resource, Month], Iterator[Part]]] = {
    "aws_cloudwatch_event_rule": _schedule,
    "aws_cloudwatch_log_metric_filter": _metric,
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_db_instance": _database,
    "aws_ecr_repository": _repository,
    "aws_eip": _address,
    "aws_instance": _instance,
    "aws_lambda_event_source_mapping": _trigger,
    "aws_lambda_function": _function,
    "aws_nat_gateway": _nat_gateway,
    "aws_s3_bucket": _bucket,
    "aws_sns_topic": _topic,
    "aws_ssm_document": _roll,
    "aws_ssm_parameter": _parameter,
    "aws_vpc_endpoint": _endpoint,
}

# AWS charges nothing for these themselves: names, rights, rules, and how the others are set up.
FREE = frozenset(
    {
        "aws_budgets_budget",  # without actions
        "aws_cloudwatch_event_target",
        "aws_cloudwatch_log_group",  # what is written into it is metered where it is written
        "aws_db_parameter_group",
        "aws_db_subnet_group",
        "aws_ecr_lifecycle_policy",
        "aws_ecr_repository_policy",
        "aws_eip_association",
        "aws_iam_instance_profile",
        "aws_iam_openid_connect_provider",
        "aws_iam_policy",
        "aws_iam_role",
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachment",
        "aws_lambda_alias",
        "aws_lambda_function_event_invoke_config",
        "aws_lambda_function_url",
        "aws_lambda_permission",
        "aws_network_interface",
        "aws_route",
        "aws_route_table",
        "aws_route_table_association",
        "aws_s3_bucket_cors_configuration",
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
        "aws_security_group",
        "aws_security_group_rule",
        "aws_sns_topic_policy",
        "aws_sns_topic_subscription",
        "aws_sqs_queue",  # requests are metered where they are made
        "aws_sqs_queue_policy",
        "aws_sqs_queue_redrive_allow_policy",
        "aws_sqs_queue_redrive_policy",
        "aws_subnet",
        "aws_vpc_endpoint_route_table_association",
        "aws_vpc_security_group_egress_rule",
        "aws_vpc_security_group_ingress_rule",
        "terraform_data",
    }
)
