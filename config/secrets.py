"""Secrets that no environment shows: SecureString parameters of AWS Systems Manager, read when the settings are."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import ImproperlyConfigured

SECRETS = ("DJANGO_SECRET_KEY", "DATABASE_URL", "OPENAI_API_KEY")


def read(path: str, names: Iterable[str], *, region: str, endpoint_url: str | None) -> dict[str, str]:
    """The values of the parameters PATH/NAME, by name. ImproperlyConfigured says which one is not to be had, and why.

    The right that it takes: ssm:GetParameters on each. The key of AWS (aws/ssm) decrypts them, and asks for no other.
    """
    wanted = {f"{path.rstrip('/')}/{name}": name for name in names}
    if not wanted:
        return {}
    found = _parameters(list(wanted), region, endpoint_url)
    if missing := sorted(wanted.keys() - found.keys()):
        raise ImproperlyConfigured(
            f"There is no parameter {' or '.join(missing)} in {region}, where MEMORIES_SECRETS_PATH leads: "
            "run `terraform apply` once more, or mend AWS_REGION or the path."
        )
    return {wanted[name]: value for name, value in found.items()}


def _parameters(names: list[str], region: str, endpoint_url: str | None) -> dict[str, str]:
    import botocore.session  # without boto3: a function that starts waits for this
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})
    session = botocore.session.get_session()
    try:
        client = session.create_client("ssm", region_name=region, endpoint_url=endpoint_url, config=config)
        answer = client.get_parameters(Names=names, WithDecryption=True)
    except (BotoCoreError, ClientError) as error:
        raise ImproperlyConfigured(
            f"The parameters {', '.join(names)} cannot be read in {region}: {error}. "
            "They need credentials with the right ssm:GetParameters, and a way to AWS."
        ) from error
    return {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
