"""What there is in an account, by service: each kind of thing that Terraform makes for us."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from memories.tests.aws import AWS

Thing = tuple[str, str, str]

# service, operation, arguments, where the answer has the things, and by what they are known
KINDS: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("cloudwatch", "describe_alarms", {}, "MetricAlarms", "AlarmName"),
    ("ec2", "describe_addresses", {}, "Addresses", "AllocationId"),
    ("ec2", "describe_nat_gateways", {}, "NatGateways", "NatGatewayId"),
    ("ec2", "describe_network_interfaces", {}, "NetworkInterfaces", "NetworkInterfaceId"),
    ("ec2", "describe_route_tables", {}, "RouteTables", "RouteTableId"),
    ("ec2", "describe_security_groups", {}, "SecurityGroups", "GroupId"),
    ("ec2", "describe_subnets", {}, "Subnets", "SubnetId"),
    ("ec2", "describe_volumes", {}, "Volumes", "VolumeId"),
    ("ec2", "describe_vpc_endpoints", {}, "VpcEndpoints", "VpcEndpointId"),
    ("ec2", "describe_vpcs", {}, "Vpcs", "VpcId"),
    ("ecr", "describe_repositories", {}, "repositories", "repositoryName"),
    ("events", "list_rules", {}, "Rules", "Name"),
    ("iam", "list_instance_profiles", {}, "InstanceProfiles", "InstanceProfileName"),
    ("iam", "list_open_id_connect_providers", {}, "OpenIDConnectProviderList", "Arn"),
    ("iam", "list_policies", {"Scope": "Local"}, "Policies", "PolicyName"),
    ("iam", "list_roles", {}, "Roles", "RoleName"),
    ("lambda", "list_event_source_mappings", {}, "EventSourceMappings", "UUID"),
    ("lambda", "list_functions", {}, "Functions", "FunctionName"),
    ("logs", "describe_log_groups", {}, "logGroups", "logGroupName"),
    ("rds", "describe_db_instances", {}, "DBInstances", "DBInstanceIdentifier"),
    ("rds", "describe_db_parameter_groups", {}, "DBParameterGroups", "DBParameterGroupName"),
    ("rds", "describe_db_snapshots", {}, "DBSnapshots", "DBSnapshotIdentifier"),
    ("rds", "describe_db_subnet_groups", {}, "DBSubnetGroups", "DBSubnetGroupName"),
    ("s3", "list_buckets", {}, "Buckets", "Name"),
    ("sns", "list_subscriptions", {}, "Subscriptions", "SubscriptionArn"),
    ("sns", "list_topics", {}, "Topics", "TopicArn"),
    ("ssm", "describe_parameters", {}, "Parameters", "Name"),
    ("ssm", "list_documents", {"Filters": [{"Key": "Owner", "Values": ["Self"]}]}, "DocumentIdentifiers", "Name"),
]


def inventory(account: AWS) -> set[Thing]:
    """Service, kind and name of each thing; machines that are terminated are not there any more."""
    things = {
        (service, kind, thing[known_by])
        for service, operation, arguments, kind, known_by in KINDS
        for page in pages(account.client(service), operation, arguments)
        for thing in page[kind]
        if not thing[known_by].startswith("/aws/service/")  # AWS's own parameters
        if thing.get("State") != "deleted"  # an endpoint shows for a while that it is gone
    }
    queues = account.client("sqs").list_queues().get("QueueUrls", [])
    machines = [
        machine["InstanceId"]
        for reservation in account.client("ec2").describe_instances()["Reservations"]
        for machine in reservation["Instances"]
        if machine["State"]["Name"] != "terminated"
    ]
    return things | {("sqs", "Queues", url) for url in queues} | {("ec2", "Instances", name) for name in machines}


def pages(client: Any, operation: str, arguments: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if not client.can_paginate(operation):
        return [getattr(client, operation)(**arguments)]
    answers: Iterable[dict[str, Any]] = client.get_paginator(operation).paginate(**arguments)
    return answers
