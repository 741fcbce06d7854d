"""The key that signs cursors: random, in the database, the same for all processes."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text
from webtest import TestApp

import jobtracker
from jobtracker.db import signing_keys
from jobtracker.http.pagination import SIGNATURE_BYTES, Cursors
from tests.common.api import Api
from tests.common.app import connections_in_use, dispose_engines
from tests.common.pagination import assert_field_refused, cursor_from, with_cursor


@pytest.fixture
def another_process(
    client: Api, settings: dict[str, str], committing_app: Any
) -> Iterator[Callable[..., Api]]:
    """Makes another application on the same database, with the same user."""
    apps = []
    url = committing_app.registry.settings["sqlalchemy.url"]

    def make(**others: str) -> Api:
        named = {name.replace("__", "."): value for name, value in others.items()}
        apps.append(jobtracker.main({}, **{**settings, "sqlalchemy.url": url, **named}))
        return Api(TestApp(apps[-1]), client.token)

    yield make
    for app in apps:
        dispose_engines(app)


def stored_keys(engine: Engine) -> list[bytes]:
    with engine.begin() as connection:
        return list(connection.scalars(text("SELECT key FROM signing_keys WHERE name = 'cursors'")))


def test_cursor_is_signed_with_a_random_key_that_all_processes_share(
    client: Api, many: int, engine: Engine, another_process: Callable[..., Api], settings: Any
):
    cursor = cursor_from(client, "/jobs?limit=3")
    (key,) = stored_keys(engine)
    assert len(key) == 32
    other = another_process()
    assert len(other.get(with_cursor("/jobs?limit=3", cursor)).json) == 3
    assert stored_keys(engine) == [key]

    signed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    signature, sort_keys = signed[:SIGNATURE_BYTES], signed[SIGNATURE_BYTES:]
    scope = f"{client.get('/users/me').json['id']} /jobs [('sort', 'activity')]".encode()
    message = len(scope).to_bytes(4) + scope + sort_keys

    def signed_with(secret: bytes) -> bool:
        keys = [secret, hashlib.sha256(b"cursor " + secret).digest()]
        keys.append(hmac.digest(secret, b"cursors", "sha256"))
        return any(hmac.digest(each, message, "sha256").startswith(signature) for each in keys)

    assert signed_with(key.hex().encode())
    assert not signed_with(other.app.app.registry.settings["sqlalchemy.url"].encode())


def test_setting_replaces_the_key_of_the_database(
    client: Api, many: int, another_process: Callable[..., Api]
):
    first, second = (another_process(cursors__secret="shared") for _ in range(2))
    cursor = cursor_from(first, "/jobs?limit=3")
    assert len(second.get(with_cursor("/jobs?limit=3", cursor)).json) == 3
    assert_field_refused(client, with_cursor("/jobs?limit=3", cursor), "cursor")


def test_key_is_read_once_for_each_process_while_the_request_holds_no_connection(
    many: int, another_process: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
):
    read: list[tuple[str, int]] = []
    find_or_make = signing_keys.find_or_make

    def counted(connection: Any, name: str) -> bytes:
        read.append((name, connections_in_use(api.app.app)))
        return find_or_make(connection, name)

    monkeypatch.setattr(signing_keys, "find_or_make", counted)
    api = another_process()
    api.get("/jobs")
    assert read == []
    for _ in range(3):
        cursor_from(api, "/jobs?limit=3")
    assert read == [("cursors", 0)]


def test_concurrent_first_uses_make_one_key(client: Api, engine: Engine, committing_app: Any):
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM signing_keys WHERE name = 'cursors'"))
    committing_app.registry.pop("cursors", None)

    def use(_number: int) -> bytes:
        connection = committing_app.registry["db_autocommit"]()
        try:
            return signing_keys.find_or_make(connection, "cursors")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(use, range(16)))
    assert list(keys) == stored_keys(engine)


def test_derived_keys_of_two_secrets_differ():
    assert Cursors("a").dumps([1], "x") != Cursors("b").dumps([1], "x")
