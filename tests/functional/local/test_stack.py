"""The local stack: pserve with development.ini, and nothing but HTTP."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobtracker.local.aws import CONFIRMATION_CODE, RESET_CODE
from jobtracker.local.malware import EICAR
from jobtracker.local.process import wait_until
from jobtracker.local.turnstile import DUMMY_TOKEN
from tests.common import totp
from tests.common.server import SECONDS_TO_START, Server
from tests.common.timeouts import http_request

EMAIL, OLD_PASSWORD, NEW_PASSWORD = "ada@example.com", "Lovelace-1815", "Lovelace-1852"
CONTENT = b"%PDF-1.7 resume"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The folder of all servers of this module: each but the first finds what another has left."""
    # Not below pytest's folder, which PostgreSQL's own user cannot enter.
    with tempfile.TemporaryDirectory(prefix="jobtracker-") as folder:
        yield Path(folder)


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    server = Server(folder, {"documents.malware_scan": "true"})
    yield server
    if server.process is not None and server.process.poll() is None:
        server.process.kill()
        server.process.wait()
    server.wait_until_all_are_gone()


def test_used_port_stops_the_start_with_one_line(server: Server):
    settings = {server.port: "port in [server:main]", server.aws_port: "local.aws_port"}
    for port, setting in settings.items():
        with socket.create_server(("127.0.0.1", port)):
            stopped = server.program("pserve", str(server.ini), stderr=subprocess.PIPE)
            _output, errors = stopped.communicate(timeout=SECONDS_TO_START)
        assert stopped.returncode == 1
        (line,) = errors.decode().splitlines()
        assert f"port {port}" in line
        assert setting in line


def test_new_user_signs_up_uploads_and_finds_all_after_a_restart_and_a_reload(server: Server):
    server.start()
    call = server.call

    sign_up = {"email": EMAIL, "password": OLD_PASSWORD, "name": "Ada"}
    refused = call("POST", "/auth/cognito/signup", {**sign_up, "turnstile_token": "made-up"})
    assert refused[0] == 400
    answer = call("POST", "/auth/cognito/signup", {**sign_up, "turnstile_token": DUMMY_TOKEN})
    assert answer[1]["status"] == "CONFIRMATION_REQUIRED"
    login = {"email": EMAIL, "password": OLD_PASSWORD}
    assert call("POST", "/auth/cognito/login", login)[1]["error"] == "EMAIL_NOT_VERIFIED"
    for email in (EMAIL, "nobody@example.com"):
        assert call("POST", "/auth/cognito/verification/send", {"email": email})[0] == 200
    confirm = "/auth/cognito/verification/confirm"
    wrong_code = {"email": EMAIL, "code": "000000"}
    unconfirmed = call("POST", confirm, wrong_code)
    assert unconfirmed[0] == 400
    assert call("POST", confirm, {**wrong_code, "email": "nobody@example.com"}) == unconfirmed
    assert call("POST", confirm, {"email": EMAIL, "code": CONFIRMATION_CODE})[0] == 200
    assert call("POST", confirm, wrong_code)[0] == 200  # it is confirmed already
    tokens = call("POST", "/auth/cognito/login", login)[1]["tokens"]
    token = tokens["access_token"]
    assert call("GET", "/users/me", token=token)[1]["is_email_verified"] is True
    assert call("GET", "/users/me", token=tokens["id_token"])[0] == 401

    status, job = call("POST", "/jobs", {"company_name": "Acme", "job_title": "x"}, token)
    assert status == 201
    path = f"/jobs/{job['id']}"
    assert call("PATCH", path, {"status": "offer"}, token)[1]["status"] == "offer"
    note = call("POST", f"{path}/notes", {"body": "Called back."}, token)[1]
    assert call("DELETE", f"{path}/notes/{note['id']}", token=token) == (204, None)

    announcement = {
        "doc_type": "resume",
        "filename": "r\u00e9sum\u00e9.pdf",
        "content_type": "application/pdf",
        "size_bytes": len(CONTENT),
    }
    upload = call("POST", f"{path}/documents/presign-upload", announcement, token)[1]

    def put(content: bytes, content_type: str) -> int:
        headers = {"Content-Type": content_type, "Origin": "http://localhost:5173"}
        answer = http_request("PUT", upload["upload_url"], body=content, headers=headers)
        return answer.status

    assert put(CONTENT + b"!", "application/pdf") == 403
    assert put(CONTENT, "text/html") == 403
    confirmation = {"document_id": upload["document"]["id"]}
    assert call("POST", f"{path}/documents/confirm-upload", confirmation, token)[0] == 409
    assert put(CONTENT, "application/pdf") == 200
    document = call("POST", f"{path}/documents/confirm-upload", confirmation, token)[1]
    assert document["status"] in ("scanning", "uploaded")
    infected = {"doc_type": "thank_you", "filename": "x", "size_bytes": len(EICAR)}
    other = call("POST", f"{path}/documents/presign-upload", infected, token)[1]
    assert http_request("PUT", other["upload_url"], body=EICAR).status == 200
    confirmation = {"document_id": other["document"]["id"]}
    assert call("POST", f"{path}/documents/confirm-upload", confirmation, token)[0] == 200

    def statuses() -> list[str]:
        return [row["status"] for row in call("GET", f"{path}/documents", token=token)[1]]

    assert wait_until(lambda: "scanning" not in statuses(), 30)
    assert statuses() == ["infected", "uploaded"]
    download = f"{path}/documents/{other['document']['id']}/presign-download"
    assert call("GET", download, token=token)[1]["details"] == {"code": "INFECTED"}
    preflight = http_request(
        "OPTIONS",
        upload["upload_url"],
        headers={
            "Origin": "http://localhost:5173",
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert preflight.headers["Access-Control-Allow-Origin"] in ("*", "http://localhost:5173")

    new = {"current_password": OLD_PASSWORD, "new_password": NEW_PASSWORD}
    wrong = {**new, "current_password": NEW_PASSWORD}
    assert call("POST", "/users/me/change-password", wrong, token)[0] == 400
    assert call("POST", "/users/me/change-password", new, token)[0] == 200
    assert call("GET", path, token=token)[0] == 401
    refresh = {"refresh_token": tokens["refresh_token"]}
    assert call("POST", "/auth/cognito/refresh", refresh)[0] == 401
    assert call("POST", "/auth/cognito/login", login)[0] == 401

    server.stop()
    assert server.processes() == []
    assert CONFIRMATION_CODE in server.output()

    server.start("--reload")
    login["password"] = NEW_PASSWORD
    tokens = call("POST", "/auth/cognito/login", login)[1]["tokens"]
    token = tokens["access_token"]
    (kept,) = call("GET", "/jobs", token=token)[1]
    assert (kept["id"], kept["status"]) == (job["id"], "offer")
    (_infected, document) = call("GET", f"{path}/documents", token=token)[1]
    download = f"{path}/documents/{document['id']}/presign-download"
    url = call("GET", download, token=token)[1]["download_url"]
    downloaded = http_request("GET", url)
    assert downloaded.data == CONTENT
    assert "r%C3%A9sum%C3%A9.pdf" in downloaded.headers["Content-Disposition"]
    refresh = {"refresh_token": tokens["refresh_token"]}
    assert call("POST", "/auth/cognito/refresh", refresh)[0] == 200
    other = call("POST", "/auth/cognito/login", login)[1]["tokens"]["access_token"]
    assert call("POST", "/auth/cognito/logout", refresh)[0] == 200
    assert call("POST", "/auth/cognito/refresh", refresh)[0] == 401
    assert call("GET", path, token=token)[0] == 401
    assert call("GET", path, token=other)[0] == 200

    for email in (EMAIL, "nobody@example.com"):
        assert call("POST", "/auth/cognito/forgot-password", {"email": email})[0] == 200
    reset = {"email": EMAIL, "code": RESET_CODE, "new_password": OLD_PASSWORD}
    for wrong in ({"code": "000000"}, {"email": "nobody@example.com"}):
        refused = call("POST", "/auth/cognito/reset-password", {**reset, **wrong})
        assert (refused[0], refused[1]["details"]["code"]) == (400, "CODE_MISMATCH")
    weak = call("POST", "/auth/cognito/reset-password", {**reset, "new_password": "weak"})
    assert weak[1]["details"]["code"] == "WEAK_PASSWORD"
    assert call("POST", "/auth/cognito/reset-password", reset)[0] == 200
    assert call("GET", path, token=other)[0] == 401
    assert call("POST", "/auth/cognito/login", login)[0] == 401
    login["password"] = OLD_PASSWORD
    token = call("POST", "/auth/cognito/login", login)[1]["tokens"]["access_token"]

    secret = call("POST", "/users/me/mfa", token=token)[1]["secret_code"]
    confirm = "/users/me/mfa/confirm"
    assert call("POST", confirm, {"code": totp.wrong_code(secret)}, token)[0] == 400
    assert call("POST", confirm, {"code": totp.code(secret)}, token)[1]["enabled"] is True
    assert call("POST", "/auth/cognito/login", login)[1]["next_step"] == "SOFTWARE_TOKEN_MFA"
    assert call("POST", "/users/me/mfa", token=token)[0] == 403
    assert call("POST", "/users/me/mfa", {"password": OLD_PASSWORD}, token)[0] == 200
    assert call("DELETE", "/users/me/mfa", {"password": NEW_PASSWORD}, token)[0] == 400
    assert call("DELETE", "/users/me/mfa", {"password": OLD_PASSWORD}, token)[0] == 200
    assert call("GET", "/users/me/mfa", token=token)[1] == {"enabled": False, "methods": []}
    assert call("POST", "/auth/cognito/login", login)[1]["status"] == "OK"
    assert call("POST", "/users/me/sign-out-everywhere", token=token)[0] == 200
    assert call("GET", path, token=token)[0] == 401
    check_reload_and_kill(server)


def check_reload_and_kill(server: Server) -> None:
    """A reload keeps the stack, and SIGKILL leaves no process."""

    def supervisors() -> list[int]:
        return [
            process.pid
            for process in server.processes()
            if "jobtracker.local.supervisor" in process.info["cmdline"]
        ]

    (supervisor,) = supervisors()
    started = server.output().count("Starting server in PID")
    os.utime(server.ini)
    deadline = time.monotonic() + SECONDS_TO_START
    while server.output().count("Starting server in PID") == started:
        assert time.monotonic() < deadline, server.output()
        time.sleep(0.1)
    assert supervisors() == [supervisor]
    server.stop(signal.SIGKILL)
    # hupper ends the orphaned worker; the stack ends with it.
    for process in server.processes():
        if "pserve" in " ".join(process.info["cmdline"]):
            process.kill()
    server.wait_until_all_are_gone()
