"""Lists in pages: follow ``Link: rel="next"``."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from webtest import TestResponse

from tests.common.api import Api


def next_path(answer: TestResponse) -> str | None:
    """The path and query of the next page."""
    if "Link" not in answer.headers:
        return None
    link = re.fullmatch(r'<(/[^>]*)>; rel="next"', answer.headers["Link"])
    assert link, answer.headers["Link"]
    return link[1]


def pages(client: Api, path: str) -> Iterator[list[Any]]:
    """The rows of each page."""
    there: str | None = path
    while there is not None:
        answer = client.get(there)
        there = next_path(answer)
        assert isinstance(answer.json, list)
        yield answer.json


def walk(client: Api, path: str) -> list[int]:
    return [row["id"] for page in pages(client, path) for row in page]


def cursor_from(client: Api, path: str) -> str:
    there = next_path(client.get(path))
    assert there is not None
    return dict(parse_qsl(urlsplit(there).query))["cursor"]


def with_cursor(path: str, cursor: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}cursor={quote(cursor, safe='')}"


def assert_field_refused(client: Api, path: str, field: str) -> None:
    error = client.refused(422, "GET", path)
    assert [entry["loc"] for entry in error["details"]["errors"]] == [["query", field]]


def user_id(client: Api) -> int:
    return client.get("/users/me").json["id"]
