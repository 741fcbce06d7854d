"""S3: the bucket, and whether the credentials can put, get and delete an object."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from jobtracker.auth.clock import CognitoClock
from jobtracker.aws import error_code, with_hint
from jobtracker.commands.checks import Result, clocks, error, ok, setting_in
from jobtracker.documents import make_bucket
from jobtracker.documents.storage import HINTS

BUCKET, REGION = "s3.bucket", "s3.region"
BODY = b"jobtracker check"


def check(settings: Mapping[str, Any]) -> Iterator[Result]:
    bucket = make_bucket(settings)
    client, clock = bucket.client, CognitoClock()
    # Where uploads arrive: what is left there expires.
    probe = {"Bucket": bucket.name, "Key": f"incoming/check/{uuid.uuid4().hex}"}

    def call(operation: str, **parameters: Any) -> Any:
        sent_at = time.time()
        response = getattr(client, operation)(**parameters)
        clock.read(response, sent_at)
        return response

    def get() -> None:
        if call("get_object", **probe)["Body"].read() != BODY:
            raise ValueError("another object than the one that was put")

    steps: dict[str, Callable[[], Any]] = {
        "bucket": lambda: call("head_bucket", Bucket=bucket.name),
        "put": lambda: call("put_object", Body=BODY, **probe),
        "get": get,
        "delete": lambda: call("delete_object", **probe),
    }
    for name, step in steps.items():
        subject = f"S3: {name}"
        try:
            step()
        except (ClientError, BotoCoreError, ValueError) as problem:
            detail = with_hint(error_code(problem), HINTS)
            yield error(subject, setting_in(detail, "s3", BUCKET), detail)
            if name in ("bucket", "put"):
                break  # there is nothing to get or to delete
        else:
            yield ok(subject, BUCKET)
    yield clocks.compare("S3", REGION, clocks.ahead_of(clock))
