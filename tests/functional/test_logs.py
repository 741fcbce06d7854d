"""No secrets in the output of both servers, with all loggers at DEBUG."""

import base64
import itertools
import json
import subprocess
import tempfile
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from jobtracker.local import CHECKOUT
from jobtracker.local.turnstile import DUMMY_TOKEN
from jobtracker.logs import OMITTED
from tests.common import forks
from tests.common.server import Server, free_port
from tests.common.timeouts import http_request
from tests.common.user_pool import MotoUserPool

LOGGERS = (
    *("boto3", "botocore", "botocore.endpoint", "botocore.parsers", "botocore.auth", "urllib3"),
    *("urllib3.connectionpool", "requests", "s3transfer", "psycopg", "sqlalchemy", "limits"),
    *("sqlalchemy.engine", "sqlalchemy.pool", "sqlalchemy.orm", "txn", "asyncio", "pyramid"),
    *("_granian", "granian", "granian.access", "waitress", "waitress.queue", "hyper"),
    *("jobtracker", "jobtracker.access", "webob", "cornice", "transaction"),
)

TOKENS = ("access_token", "id_token", "refresh_token")

_numbers = itertools.count()


class LoggingServer(Server):
    """pserve with production.ini, in which the root logger and all others are at DEBUG."""

    def __init__(self, folder: Path, kind: str, settings: dict[str, str]) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.ini = folder / "production.ini"
        parser = RawConfigParser()
        parser.read(CHECKOUT / "production.ini")
        parser["app:main"] = {
            "use": "egg:jobtracker",
            "pyramid.debug_all": "true",
            **{name: value.replace("%", "%%") for name, value in settings.items()},
        }
        parser["server:main"] = {"use": f"egg:jobtracker#{kind}", "port": str(self.port)}
        parser["server:main"]["host"] = "127.0.0.1"
        if kind == "granian":
            parser["server:main"]["workers"] = "1"
        parser["loggers"]["keys"] = ",".join(["root", *LOGGERS])
        parser["logger_root"]["level"] = "DEBUG"
        for name in LOGGERS:
            parser[f"logger_{name}"] = {"level": "DEBUG", "handlers": "", "qualname": name}
        # The formatter of logging itself.
        parser["formatter_json"] = {"format": "%(levelname)s [%(name)s] %(message)s"}
        with self.ini.open("w") as file:
            parser.write(file)

    def program(self, name: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        assert name == "pserve"
        return forks.Fork([forks.PSERVE, *arguments], cwd=self.folder, **options)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = http_request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            json=body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            retries=False,
        )
        return answer.json() if answer.data else None


@pytest.fixture(params=["granian", "waitress"])
def server(
    request: pytest.FixtureRequest, settings: dict[str, str], committing_app: Any, engine: Engine
) -> Iterator[LoggingServer]:
    url = committing_app.registry.settings["sqlalchemy.url"]
    with tempfile.TemporaryDirectory() as folder:
        server = LoggingServer(Path(folder), request.param, {**settings, "sqlalchemy.url": url})
        server.start()
        yield server
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.wait()
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE users, identities CASCADE"))


def test_no_secret_is_in_the_output(server: LoggingServer, user_pool: MotoUserPool):
    auth, email = "/auth/cognito", f"discreet-{next(_numbers)}@example.com"
    password, changed, reset = "Lovelace-1815-a", "Lovelace-1852-b", "Lovelace-1879-c"
    codes = {"code": "918273645"}
    secrets = [password, changed, reset, "Wrong-password-1", codes["code"], "5f0c-idempotent"]
    secrets += ["an-invalid-token-of-somebody", "confidential-words", "confidential-note"]
    sign_up = {"email": email, "password": password, "name": "Eve"}
    server.send("POST", f"{auth}/signup", {**sign_up, "turnstile_token": DUMMY_TOKEN})
    server.send("POST", f"{auth}/confirm", {"email": email, **codes})
    server.send("POST", f"{auth}/verification/send", {"email": email})
    user_pool.client.admin_confirm_sign_up(UserPoolId=user_pool.pool_id, Username=email)
    login = {"email": email, "password": password}
    server.send("POST", f"{auth}/login", {**login, "password": "Wrong-password-1"})
    tokens = server.send("POST", f"{auth}/login", login)["tokens"]
    refresh = {"refresh_token": tokens["refresh_token"]}
    secrets += [tokens[name] for name in TOKENS]
    refreshed = server.send("POST", f"{auth}/refresh", refresh)["tokens"]
    secrets += [refreshed[name] for name in TOKENS]
    own = {
        "Authorization": f"Bearer {tokens['access_token']}",
        "Idempotency_Key": "5f0c-idempotent",
    }

    job = {"company_name": "Acme", "job_title": "x"}
    path = f"/jobs/{server.send('POST', '/jobs', job, **own)['id']}"
    for number in range(3):
        own["Idempotency_Key"] = f"5f0c-idempotent-{number}"
        server.send("POST", f"{path}/notes", {"body": "confidential-note"}, **own)
    server.send("GET", "/jobs?q=confidential-words", **own)
    server.send("GET", f"{path}/notes?limit=1&cursor=confidential-words", **own)
    server.send("GET", "/nowhere?q=confidential-words", **own)
    server.send("GET", "/jobs", Authorization="Bearer an-invalid-token-of-somebody")
    own["Idempotency_Key"] = "5f0c-idempotent-presign"
    resume = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
    upload = server.send("POST", f"{path}/documents/presign-upload", resume, **own)
    assert http_request("PUT", upload["upload_url"], body=b"x").status == 200
    document_id = upload["document"]["id"]
    confirmation = {"document_id": document_id}
    own["Idempotency_Key"] = "5f0c-idempotent-confirm"
    server.send("POST", f"{path}/documents/confirm-upload", confirmation, **own)
    download = server.send("GET", f"{path}/documents/{document_id}/presign-download", **own)
    for url in (upload["upload_url"], download["download_url"]):
        secrets += [value for value in url.partition("?")[2].split("&") if "Signature" in value]
    secrets += ["X-Amz-Signature", "X-Amz-Credential"]
    server.send("POST", "/users/me/mfa", **own)

    passwords = {"current_password": password, "new_password": changed}
    assert "message" in server.send("POST", "/users/me/change-password", passwords, **own)
    tokens = server.send("POST", f"{auth}/login", {**login, "password": changed})["tokens"]
    secrets += [tokens[name] for name in TOKENS]
    server.send("POST", f"{auth}/forgot-password", {"email": email})
    server.send("POST", f"{auth}/reset-password", {"email": email, **codes, "new_password": reset})
    server.send("POST", f"{auth}/logout", {"refresh_token": tokens["refresh_token"]})
    server.stop()

    output = server.output()
    assert "[jobtracker.access] POST /jobs" in output
    assert OMITTED in output
    assert len(secrets) > 15
    for secret in secrets:
        assert secret not in output
        assert json.dumps(secret)[1:-1] not in output
        assert base64.b64encode(secret.encode()).decode() not in output
