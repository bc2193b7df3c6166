"""Secrets that no environment shows: SecureString parameters of AWS Systems Manager, read when the settings are."""

from __future__ import annotations

import json
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
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    try:
        status, answer = _ask(names, region, endpoint_url or f"https://ssm.{region}.amazonaws.com")
    except (BotoCoreError, HTTPError) as error:
        status, answer = 0, str(error)
    if status != 200:
        raise ImproperlyConfigured(
            f"The parameters {', '.join(names)} cannot be read in {region}: {answer}. "
            "They need credentials with the right ssm:GetParameters, and a way to AWS."
        )
    return {parameter["Name"]: parameter["Value"] for parameter in json.loads(answer)["Parameters"]}


def _ask(names: list[str], region: str, endpoint_url: str) -> tuple[int, str]:
    """GetParameters, signed by botocore but past its client.

    The client reads the whole service's model first: that takes more of a function's start than all the rest of this
    (bench/lambda_start.py).

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
    """
    import botocore.session
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from urllib3 import PoolManager, Retry, Timeout

    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.GetParameters"}
    request = AWSRequest("POST", f"{endpoint_url}/", headers, json.dumps({"Names": names, "WithDecryption": True}))
    SigV4Auth(botocore.session.get_session().get_credentials(), "ssm", region).add_auth(request)
    retries = Retry(
        3, allowed_methods=None, status_forcelist=[500, 502, 503, 504], backoff_factor=0.3, raise_on_status=False
    )
    http = PoolManager(timeout=Timeout(connect=3, read=10), retries=retries)
    answer = http.request("POST", request.url, body=request.data, headers=dict(request.headers))
    return answer.status, answer.data.decode()
