"""JSON as it goes out: UTF-8, times in UTC with ``Z``."""

from collections.abc import Callable
from typing import Any

import orjson
from pyramid.renderers import JSON


def json_dumps(value: Any, default: Callable[[Any], Any] | None = None, **_kwargs: Any) -> bytes:
    return orjson.dumps(value, default=default, option=orjson.OPT_UTC_Z)


def includeme(config: Any) -> None:
    config.add_renderer("json", JSON(serializer=json_dumps))
