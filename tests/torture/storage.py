"""S3 in the tests: what is in a bucket, and faults."""

import contextlib
import random
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from jobtracker.local.aws import Aws
from tests.common.proxy import Proxy


def objects(aws: Aws, bucket: str, prefix: str = "") -> set[str]:
    """The keys in a bucket."""
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {each["Key"] for page in pages for each in page.get("Contents", ())}


def put_objects(aws: Aws, bucket: str, keys: Iterable[str]) -> int:
    """Put an object to each key, and return their number."""
    s3 = aws.client("s3")
    with ThreadPoolExecutor(8) as threads:
        put = threads.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b"x"), keys)
        return len(list(put))


@contextlib.contextmanager
def refusing_half(proxy: Proxy) -> Iterator[None]:
    """Refuse connections for half of the time, in short turns."""
    ended = threading.Event()

    def alternate() -> None:
        while not ended.wait(random.uniform(0.1, 1)):  # noqa: S311 (no secret)
            random.choice((proxy.refuse, proxy.forward))()  # noqa: S311

    thread = threading.Thread(target=alternate)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        proxy.forward()
