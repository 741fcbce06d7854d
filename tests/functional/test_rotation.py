"""Rotated secrets, which a running application takes from their files when the old ones fail."""

import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import limits
import psycopg
import pytest
from sqlalchemy import Engine, make_url, text
from webtest import TestApp

import jobtracker
from jobtracker.environment import Variable
from jobtracker.http.rate_limits import RateLimiter
from jobtracker.local.postgres import Postgres
from jobtracker.local.turnstile import DUMMY_TOKEN, LocalTurnstile
from tests.common.api import Api
from tests.common.app import dispose_engines
from tests.common.user_pool import PASSWORD, MotoUserPool

ROLE = "rotated"
OLD_SECRET = "o" * 52
LOGIN = {"email": "ada@example.com", "password": PASSWORD}

Write = Callable[[str], None]


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the file of ``${SECRET}``."""
    monkeypatch.setenv("SECRET_FILE", str(tmp_path / "secret"))

    def write(value: str) -> None:
        (tmp_path / "secret").write_text(f"{value}\n")

    return write


@pytest.fixture
def url(committing_app: Any) -> str:
    """The URL of the database in which transactions commit."""
    return str(committing_app.registry.settings["sqlalchemy.url"])


@pytest.fixture
def client_with(
    url: str, engine: Engine, settings: dict[str, str], secret: Write, user_pool: MotoUserPool
) -> Iterator[Callable[[str, str], Api]]:
    """Creates a client of an application, one setting of which is the file of that secret."""
    apps: list[Any] = []

    def make(setting: str, value: str) -> Api:
        secret(value)
        own = {"sqlalchemy.url": url, setting: "${SECRET}"}
        apps.append(jobtracker.main({}, **{**settings, **own}))
        return Api(TestApp(apps[-1]), user_pool.user("ada@example.com", "Ada").access_token)

    yield make
    for each in apps:
        dispose_engines(each)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE users, identities CASCADE"))


@pytest.fixture
def alter_role(postgres: Postgres) -> Iterator[Callable[[str], None]]:
    """Sets the password of a role that needs one, and ends its sessions."""
    rules = postgres.data / "pg_hba.conf"
    before = rules.read_text()
    with psycopg.connect(postgres.url(), autocommit=True) as connection:

        def reload(content: str) -> None:
            rules.write_text(content)
            connection.execute("SELECT pg_reload_conf()")

        def alter(password: str) -> None:
            connection.execute(f"ALTER ROLE {ROLE} PASSWORD '{password}'".encode())
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
                [ROLE],
            )

        connection.execute(f"CREATE ROLE {ROLE} SUPERUSER LOGIN".encode())
        reload(f"local all {ROLE} scram-sha-256\n{before}")
        yield alter
        reload(before)
        connection.execute(f"DROP ROLE {ROLE}".encode())


def with_password(url: str, password: str | None) -> str:
    return make_url(url).set(username=ROLE, password=password).render_as_string(hide_password=False)


def test_url_of_the_database_is_read_anew_when_its_password_is_rejected(
    client_with: Callable[[str, str], Api],
    secret: Write,
    alter_role: Callable[[str], None],
    url: str,
    caplog: pytest.LogCaptureFixture,
):
    old, new = secrets.token_hex(), secrets.token_hex()
    alter_role(old)
    client = client_with("sqlalchemy.url", with_password(url, old))
    client.get("/users/me")
    job = {"company_name": "Acme", "job_title": "x"}
    client.post("/jobs", job)  # of the pool of transactions
    secret(with_password(url, new))
    client.get("/users/me")  # by the old one, until it fails
    alter_role(new)
    client.post("/jobs", job)
    client.get("/users/me")
    assert "Setting sqlalchemy.url: has changed" in caplog.text
    alter_role(secrets.token_hex())
    client.refused(503, "GET", "/users/me")
    assert old not in caplog.text
    assert new not in caplog.text


def test_passfile_is_read_at_each_connection(
    settings: dict[str, str],
    alter_role: Callable[[str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    passfile = tmp_path / "passfile"
    passfile.touch(mode=0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    own = {"sqlalchemy.url": with_password(settings["sqlalchemy.url"], None)}
    engine = jobtracker.main({}, **{**settings, **own}).registry["db_engine"]
    for password in (secrets.token_hex(), secrets.token_hex()):
        alter_role(password)
        passfile.write_text(f"*:*:*:{ROLE}:{password}")
        engine.connect().close()
        engine.dispose()


def test_rotated_client_secret_is_used_when_cognito_rejects_the_old_one(
    client_with: Callable[[str, str], Api], secret: Write, user_pool: MotoUserPool
):
    client = client_with("cognito.client_secret", OLD_SECRET)
    client.refused(503, "POST", "/auth/cognito/login", LOGIN)
    secret(user_pool.client_secret)
    tokens = client.post("/auth/cognito/login", LOGIN, status=200).json["tokens"]
    client.post("/auth/cognito/refresh", {"refresh_token": tokens["refresh_token"]}, status=200)


def test_rotated_client_secret_is_used_by_operations_that_take_it_as_it_is(
    client_with: Callable[[str, str], Api], secret: Write, user_pool: MotoUserPool
):
    signed_in = user_pool.server_side.sign_in(LOGIN["email"], PASSWORD).tokens
    assert signed_in is not None
    client = client_with("cognito.client_secret", OLD_SECRET)
    form = {"refresh_token": signed_in.refresh_token}
    client.refused(503, "POST", "/auth/cognito/refresh", form)
    secret(user_pool.client_secret)
    client.post("/auth/cognito/refresh", form, status=200)


def test_rotated_turnstile_secret_is_used_when_cloudflare_rejects_the_old_one(
    client_with: Callable[[str, str], Api], secret: Write, turnstile: LocalTurnstile
):
    client = client_with("turnstile.secret", "old")
    form = {"password": PASSWORD, "name": "Ada", "turnstile_token": DUMMY_TOKEN}
    form["email"] = f"{secrets.token_hex()}@example.com"
    client.refused(503, "POST", "/auth/cognito/signup", form)
    secret(turnstile.secret)
    client.post("/auth/cognito/signup", form)


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
def test_rotated_password_of_redis_is_used_after_a_pause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    socket = tmp_path / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--requirepass", "new"]
    server = subprocess.Popen(  # noqa: S603
        [str(shutil.which("redis-server")), *options], stdout=subprocess.DEVNULL, cwd=tmp_path
    )
    try:
        deadline = time.monotonic() + 30
        while not socket.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        old, new = (f"redis+unix://:{password}@{socket}" for password in ("old", "new"))
        now = [0.0]
        limiter = RateLimiter(
            Variable.of(old, "rate_limits.storage", lambda: new), clock=lambda: now[0]
        )
        rate = limits.parse("1/hour")
        assert limiter.hit(rate, "x", "ada") == 0  # counted in memory
        now[0] = 60
        assert limiter.hit(rate, "x", "ada") == 0  # in Redis
        now[0] = 120
        assert limiter.hit(rate, "x", "ada") > 0
        assert RateLimiter(new).hit(rate, "x", "ada") > 0
        assert caplog.text.count("counted by this process alone") == 1
    finally:
        server.terminate()
        server.wait()
