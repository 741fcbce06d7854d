"""Errors of operators: one plain line without a traceback, and exit status 1, or 2 for usage."""

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jobtracker.commands import COMMANDS
from jobtracker.data import DATA
from tests.common import forks
from tests.common.production import production_environment

WITH_INI = [name for name in COMMANDS if name != "init"]
#: Of commands that require more than an ini file.
USER = ["--user", "ada@example.com"]
OPTIONS = {"undelete": USER, "export": ["ada.zip", *USER], "import": ["ada.zip", *USER]}
PRODUCTION = (DATA / "production.ini").read_text()


def start(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return forks.Fork(
        [forks.JOBTRACKER, *arguments],
        cwd=folder,
        env=options.pop("env", {}),
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, *arguments: str, **options: Any) -> tuple[int, str, str]:
    with start(folder, *arguments, **options) as process:
        out, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    return process.returncode, out, errors


def test_errors_of_usage_are_one_line_and_exit_status_2(tmp_path: Path):
    for arguments in ([], ["nonsense"], ["check"], ["--nonsense"], ["serve", "x.ini", "no_value"]):
        status, out, errors = run(tmp_path, *arguments)
        assert (status, out, errors.count("\n")) == (2, "", 1), errors


@pytest.mark.parametrize("command", WITH_INI)
def test_ini_that_is_missing_or_incomplete_is_an_error(tmp_path: Path, command: str):
    options = OPTIONS.get(command, [])
    missing = run(tmp_path, command, "nope.ini", *options)
    assert missing == (1, "", "nope.ini: No such file or directory\n")
    (tmp_path / "production.ini").write_text(PRODUCTION)
    status, out, errors = run(tmp_path, command, "production.ini", *options)
    assert status == 1
    assert "the environment variable DATABASE_URL is not set" in out + errors


def test_unknown_option_of_the_server_is_one_line(tmp_path: Path):
    server = "[server:main]\nuse = egg:jobtracker#granian\nnonsense = 1\n"
    (tmp_path / "x.ini").write_text(f"[app:main]\nuse = egg:jobtracker\n{server}")
    status, _out, errors = run(tmp_path, "serve", "x.ini")
    assert (status, errors) == (1, "Setting nonsense: there is no such setting\n")
    status, out, _errors = run(tmp_path, "check", "x.ini")
    assert status == 1
    assert re.search("^error +Settings +nonsense +there is no such setting$", out, re.M)


def test_init_overwrites_nothing(tmp_path: Path):
    status, out, _errors = run(tmp_path, "init")
    assert status == 0
    assert "DATABASE_URL, AWS_REGION" in out
    assert (tmp_path / "production.ini").read_text() == PRODUCTION
    assert run(tmp_path, "init")[::2] == (1, "production.ini exists: it is not overwritten\n")
    assert run(tmp_path, "init", "no/such/folder.ini")[0] == 1


def test_closed_pipe_and_full_disk_end_quietly(tmp_path: Path):
    (tmp_path / "production.ini").write_text(PRODUCTION)
    read_end, write_end = os.pipe()
    os.close(read_end)
    for output, status in ((write_end, -signal.SIGPIPE), (os.open("/dev/full", os.O_WRONLY), 1)):
        found = run(tmp_path, "settings", "production.ini", stdout=output)
        os.close(output)
        assert found[0] == status
        assert found[2].count("\n") <= 1 or status != 1


@pytest.fixture
def environment(settings: dict[str, str]) -> dict[str, str]:
    return production_environment(settings)


@pytest.mark.parametrize("command", ["migrate", "sweep", "after-restore"])
def test_unavailable_database_is_one_line(
    tmp_path: Path, environment: dict[str, str], command: str
):
    (tmp_path / "production.ini").write_text(PRODUCTION)
    environment["DATABASE_URL"] = "postgresql://ada:hunter22@127.0.0.1:1/d"
    status, _out, errors = run(tmp_path, command, "production.ini", env=environment)
    assert status == 1
    records = [json.loads(line) for line in errors.splitlines()]
    (message,) = (each["message"] for each in records if each["level"] == "CRITICAL")
    assert "PostgreSQL" in message
    assert "hunter22" not in errors


def test_work_ends_with_status_0_by_sigterm(
    tmp_path: Path, app: Any, settings: dict[str, str], environment: dict[str, str]
):
    endpoint = f"s3.endpoint_url = {settings['s3.endpoint_url']}\n"
    (tmp_path / "production.ini").write_text(
        PRODUCTION.replace("[server:main]", f"{endpoint}[server:main]", 1)
    )
    with start(tmp_path, "work", "production.ini", env=environment) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Working" in line:
                break
        process.send_signal(signal.SIGTERM)
        errors = process.stderr.read()
        assert process.wait(20) == 0
    assert "Stopped" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["check", "migrate"])
def test_signal_ends_a_command_quietly(
    tmp_path: Path, environment: dict[str, str], command: str, signal_number: signal.Signals
):
    (tmp_path / "production.ini").write_text(PRODUCTION)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment["DATABASE_URL"] = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/d"
        process = start(tmp_path, command, "production.ini", env=environment)
        with process, silent.accept()[0]:
            process.send_signal(signal_number)
            out, errors = process.communicate(timeout=30)
    assert (process.returncode, out) == (-signal_number, "")
    assert [line for line in errors.splitlines() if not line.startswith("{")] == []
