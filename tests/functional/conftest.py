"""An application on a database of its own, where real threads meet real commits."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from webtest import TestApp

import jobtracker
from jobtracker.local import migrations
from jobtracker.local.postgres import Postgres
from tests.common.api import Api
from tests.common.pool import Pool


@pytest.fixture(scope="module")
def busy_app(postgres: Postgres, settings: dict[str, str]) -> Iterator[Any]:
    app = jobtracker.main({}, **{**settings, "sqlalchemy.url": postgres.make_database("races")})
    migrations.upgrade(app.registry["db_engine"])
    yield app
    app.registry["db_engine"].dispose()
    app.registry["db_reading_engine"].dispose()


@pytest.fixture
def client(busy_app: Any, pool: Pool) -> Iterator[Api]:
    yield Api(TestApp(busy_app), pool.user("ada@example.com", "Ada").access_token)
    with busy_app.registry["db_engine"].begin() as connection:
        connection.execute(text("TRUNCATE users CASCADE"))
