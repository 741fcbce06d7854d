"""An application whose transactions commit, on a database of its own."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.stub import Stubber
from sqlalchemy import Engine
from webtest import TestApp

import jobtracker
from jobtracker.auth.cognito import UserPool
from tests.common.api import Api
from tests.common.app import (
    delete_rows,
    dispose_engines,
    forget_tokens,
    migrate,
    new_rate_limiter,
    sign_in,
)
from tests.common.cognito import CLIENT_ID, CLIENT_SECRET
from tests.common.conditional import UserData
from tests.common.user_pool import MotoUserPool

_numbers = itertools.count()


@pytest.fixture(scope="session")
def committing_app(make_database: Callable[[str], str], settings: dict[str, str]) -> Iterator[Any]:
    own = {"sqlalchemy.url": make_database("commits")}
    app = jobtracker.main({}, **{**settings, **own})
    migrate(app.registry["db_engine"])
    yield app
    dispose_engines(app)


@pytest.fixture
def engine(committing_app: Any) -> Engine:
    return committing_app.registry["db_engine"]


@pytest.fixture
def client(
    committing_app: Any, engine: Engine, user_pool: MotoUserPool, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Api]:
    """Ada's client of the application that commits. All rows are deleted after the test."""
    monkeypatch.setitem(committing_app.registry, "rate_limiter", new_rate_limiter())
    token = sign_in(committing_app, user_pool, "ada@example.com", "Ada")
    yield Api(TestApp(committing_app), token)
    delete_rows(engine)
    forget_tokens(committing_app)


@pytest.fixture
def other_client(committing_app: Any, client: Api, user_pool: MotoUserPool) -> Api:
    """Bob's client of the application that commits."""
    return client.signed_in(sign_in(committing_app, user_pool, "bob@example.com", "Bob"))


@pytest.fixture
def job(client: Api) -> str:
    """The path of a job."""
    return f"/jobs/{client.post('/jobs', {'company_name': 'Acme', 'job_title': 'x'}).json['id']}"


@pytest.fixture
def user_data(client: Api) -> UserData:
    return UserData(client, "acme")


@pytest.fixture
def email(user_pool: MotoUserPool) -> str:
    """The address of a new account."""
    address = f"grace-{next(_numbers)}@example.com"
    user_pool.user(address, "Grace")
    return address


@pytest.fixture(scope="session")
def stubbed_cognito_client() -> UserPool:
    return UserPool(CLIENT_ID, CLIENT_SECRET, region="us-east-1", endpoint_url=None)


@pytest.fixture
def cognito_client(
    app: Any, ada: Api, stubbed_cognito_client: UserPool, monkeypatch: pytest.MonkeyPatch
) -> UserPool:
    """The application's client of Cognito, without any server. Ada's row is already there."""
    ada.get("/users/me")
    monkeypatch.setitem(app.registry, "cognito", stubbed_cognito_client)
    return stubbed_cognito_client


@pytest.fixture
def cognito(cognito_client: UserPool) -> Iterator[Stubber]:
    """Cognito's responses, checked against AWS's service model; each must be used."""
    with Stubber(cognito_client.client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
