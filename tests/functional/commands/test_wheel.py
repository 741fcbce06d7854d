"""The wheel alone, in an empty folder: init, check, migrate and serve."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from jobtracker.local import CHECKOUT
from jobtracker.local.postgres import Postgres
from tests.common.production import production_environment
from tests.common.server import free_port
from tests.common.timeouts import LONG_TIMEOUTS
from tests.common.wheel import build_wheel, install

SECONDS_TO_START = 60
NOBODY = 65534


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not below pytest's folder, which other users cannot enter.
    made = Path(tempfile.mkdtemp(prefix="jobtracker-tests-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    return build_wheel(folder)


@pytest.fixture(scope="module")
def programs(folder: Path, wheel: Path) -> Path:
    return install(wheel, folder / "venv")


def test_wheel_contains_what_is_at_the_top_of_the_repository(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        contained = {name: archive.read(name) for name in archive.namelist()}
    for name in ("migrations", "deploy"):
        for path in (CHECKOUT / name).rglob("*"):
            is_code = "__pycache__" in path.parts or path.name == "previous_release"
            if path.is_file() and not is_code:
                inside = f"jobtracker/data/{path.relative_to(CHECKOUT)}"
                assert contained[inside] == path.read_bytes()
    for name in ("production.ini", "development.ini"):
        assert contained[f"jobtracker/data/{name}"] == (CHECKOUT / name).read_bytes()
    assert "jobtracker/openapi/static/docs.html" in contained
    assert not any("__pycache__" in name for name in contained)


@pytest.fixture
def empty(folder: Path) -> Iterator[Path]:
    made = folder / "empty"
    made.mkdir()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def environment(
    settings: dict[str, str], postgres: Postgres, request: pytest.FixtureRequest
) -> dict[str, str]:
    postgres.data.parent.chmod(0o711)  # for the socket, which other users reach too
    url = postgres.make_database(f"wheel_{request.node.callspec.id}")
    return {
        **{name: value for name, value in os.environ.items() if name == "PATH"},
        "HOME": "/nonexistent",
        **production_environment(settings, url),
    }


def as_nobody(command: list[str]) -> list[str]:
    """A command as another user, on a file system that is read-only except /tmp, whose PostgreSQL
    is reached by the socket in it."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("needs root, unshare and setpriv")
    script = (
        "mount --make-rprivate / && "
        "for each in $(awk '{print $5}' /proc/self/mountinfo | sort -r); do "
        'mount -o remount,bind,ro "$each" 2> /dev/null || true; done; '
        "mount -t tmpfs tmpfs /var/tmp && export TMPDIR=/var/tmp && "
        f'exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups "$@"'
    )
    return ["unshare", "--mount", "sh", "-c", script, "sh", *command]


@pytest.mark.parametrize("user", ["own", "nobody"])
def test_wheel_alone_serves(
    programs: Path, empty: Path, environment: dict[str, str], settings: dict[str, str], user: str
):
    wrap = as_nobody if user == "nobody" else list
    options: Any = {"cwd": empty, "env": environment, "capture_output": True, "text": True}
    command = str(programs / "jobtracker")
    if user == "nobody":
        python = [str(programs / "python"), "-c", "import jobtracker"]
        if subprocess.run(wrap(python), check=False, **options).returncode:  # noqa: S603
            pytest.skip("needs a Python that other users can execute")
        (empty / "probe").touch()
        (empty / "probe").chmod(0o666)
        refused = subprocess.run(wrap(["touch", str(empty / "probe")]), **options)  # noqa: S603
        assert "Read-only file system" in refused.stderr

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(wrap([command, *arguments]), check=False, **options)  # noqa: S603

    port = free_port()
    subprocess.run([command, "init"], check=True, **options)  # noqa: S603
    ini = empty / "production.ini"
    endpoints = "".join(
        f"{name} = {settings[name]}\n"
        for name in (
            *("cognito.endpoint_url", "s3.endpoint_url", "s3.access_key_id"),
            *("s3.secret_access_key", "turnstile.url", *LONG_TIMEOUTS),
        )
    )
    text = ini.read_text().replace("[server:main]", f"{endpoints}\n[server:main]", 1)
    text = text.replace("host = 0.0.0.0\nport = 6543\n", f"host = 127.0.0.1\nport = {port}\n")
    ini.write_text(text.replace("#workers = 2", "workers = 1"))

    unmigrated = run("check", "production.ini")
    assert unmigrated.returncode == 1, unmigrated.stderr
    assert "run jobtracker migrate" in unmigrated.stdout, unmigrated.stdout
    migrated = run("migrate", "production.ini")
    assert migrated.returncode == 0, migrated.stderr
    checked = run("check", "production.ini")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert run("sweep", "production.ini").returncode == 0

    with (empty / "log").open("w") as log:
        server = subprocess.Popen(  # noqa: S603
            wrap([command, "serve", "production.ini"]), cwd=empty, env=environment, stderr=log
        )
        try:
            deadline = time.monotonic() + SECONDS_TO_START
            with urllib3.HTTPConnectionPool("127.0.0.1", port) as http:
                while True:
                    with contextlib.suppress(urllib3.exceptions.HTTPError):
                        answer = http.request("GET", "/docs", retries=False)
                        break
                    assert server.poll() is None, (empty / "log").read_text()
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
                assert answer.status == 200
                assert http.request("GET", "/users/me").status == 401
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
