"""JSON as it goes out: UTF-8, times in UTC with ``Z``."""

from collections.abc import Callable
from typing import Any

import orjson
from pyramid.renderers import JSON


def json_dumps(
    value: Any,
    default: Callable[[Any], Any] | None = None,
    *,
    sort_keys: bool = False,
    **_kwargs: Any,
) -> bytes:
    """Compact JSON."""
    option = orjson.OPT_UTC_Z | (orjson.OPT_SORT_KEYS if sort_keys else 0)
    return orjson.dumps(value, default=default, option=option)


def includeme(config: Any) -> None:
    config.add_renderer("json", JSON(serializer=json_dumps))
