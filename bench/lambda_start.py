"""The start of the Lambda beside `import boto3` alone: .venv/bin/python -m bench.lambda_start [RUNS]

From the start of the process to the first `next` of the real awslambdaric, and what is resident then. They take turns,
so that whatever else the machine does falls on all. "Deployed" also reads its secrets, from a stand-in of Systems
Manager on this machine: on AWS the call takes a few ms more. Fails where that is above 2.0 times or 120 MB.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.service import megabytes
from memories.tests.aws import AWS, moto_server
from memories.tests.lambda_runtime import function

HANDLERS = {
    "nothing": "handler = None",
    "import boto3": "import boto3 as handler",
    "ours": "from config.lambda_handler import handler",
    "deployed": "from config.lambda_handler import handler",
}
MOST_TIMES, MOST_MEGABYTES = 2.0, 120.0

PRODUCTION = {
    "MEMORIES_ENV": "production",
    "AWS_STORAGE_BUCKET_NAME": "bucket",
    "SQS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/queue",
    "SQS_DLQ_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/dlq",
}
SECRETS = {
    "DJANGO_SECRET_KEY": "a key of this bench, which nobody will ever need",
    "DATABASE_URL": "postgres://memories:memories@localhost/memories",
    "OPENAI_API_KEY": "key",
}
PATH = "/memories/secrets"


def start(env: Mapping[str, str], folder: Path, module: str) -> tuple[float, float]:
    """(milliseconds, resident MB) of one start."""
    with function(dict(env), folder / "log", handler=f"{module}.handler") as made:
        seconds = made.start()
        assert made.process is not None
        return seconds * 1000, megabytes(made.process.pid, "VmRSS")


def store_secrets(aws: AWS) -> dict[str, str]:
    """The environment of a function that finds them there."""
    for name, value in SECRETS.items():
        aws.client("ssm").put_parameter(Name=f"{PATH}/{name}", Value=value, Type="SecureString")
    return aws.env | {"MEMORIES_SECRETS_PATH": PATH}


def main(runs: int) -> int:
    with TemporaryDirectory(prefix="memories-start-") as name, moto_server() as aws:
        folder = Path(name)
        kept = store_secrets(aws)
        env = os.environ | PRODUCTION | {"MEMORIES_DATA_DIR": str(folder), "PYTHONPATH": str(folder)}
        # The image has .pyc files of everything; the first run of each makes them here.
        env |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        measured: dict[str, list[tuple[float, float]]] = {title: [] for title in HANDLERS}
        told = {title: env | (kept if title == "deployed" else SECRETS) for title in HANDLERS}
        for number, code in enumerate(HANDLERS.values()):
            (folder / f"start{number}.py").write_text(f"{code}\n")
        for _ in range(runs + 1):
            for number, title in enumerate(HANDLERS):
                measured[title].append(start(told[title], folder, f"start{number}"))
    print(f"{'':14}{'ms':>8}{'MB':>6}   medians of {runs}")
    for title, found in measured.items():
        del found[0]
        print(f"{title:14}{median(ms for ms, _ in found):>8.0f}{median(mb for _, mb in found):>6.0f}")
    times = median(ms for ms, _ in measured["deployed"]) / median(ms for ms, _ in measured["import boto3"])
    resident = median(mb for _, mb in measured["deployed"])
    print(f"{times:.2f} times as long as boto3 alone (at most {MOST_TIMES}),", end=" ")
    print(f"{resident:.0f} MB (at most {MOST_MEGABYTES:.0f})")
    return int(times > MOST_TIMES or resident > MOST_MEGABYTES)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 9))
