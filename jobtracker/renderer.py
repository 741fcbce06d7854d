"""JSON as the API renders it: UTF-8, timestamps in UTC with ``Z``."""

from typing import Any

import orjson


def json_dumps(value: Any, *, sort_keys: bool = False) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z | (orjson.OPT_SORT_KEYS if sort_keys else 0))
