"""What deploy/Dockerfile makes, as another user on a read-only file system."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest

from jobtracker.local import CHECKOUT
from jobtracker.local.postgres import SOCKET, Postgres
from jobtracker.local.process import wait_until
from tests.common.production import production_environment
from tests.common.proxy import Proxy
from tests.common.server import free_port
from tests.common.timeouts import http_request
from tests.common.user_pool import MotoUserPool
from tests.torture import container
from tests.torture.container import TEMPORARY, Image

PORT = "6543"  # of production.ini and the Dockerfile
SECONDS_TO_START = 60
SECONDS_TO_STOP = 30

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("nsenter"),
        reason="needs Linux, root and nsenter, for mount namespaces",
    ),
]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with container.machine() as machine:
        dockerfile = (CHECKOUT / "deploy" / "Dockerfile").read_text()
        made = container.build(dockerfile, CHECKOUT, machine)
        made.make_read_only()
        yield made


@pytest.fixture(scope="module")
def env(image: Image, postgres: Postgres, settings: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a container, on a database without tables."""
    postgres.make_database("container")
    with Proxy(postgres.socket_folder / SOCKET) as proxy:
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/container"
        yield production_environment(settings, url)


@pytest.fixture(scope="module")
def port() -> str:
    """In place of PORT, which another process of this machine may have."""
    return str(free_port())


@pytest.fixture(scope="module")
def ini(image: Image, settings: dict[str, str], port: str) -> str:
    """production.ini of the image, with this machine's AWS, on the tmpfs as a mounted volume."""
    parser = RawConfigParser()
    parser.read_string(image.path("production.ini").read_text())
    for name in settings.keys() - parser["app:main"].keys():
        parser["app:main"][name] = settings[name]
    parser["server:main"]["port"] = port
    path = image.path(f"{TEMPORARY}/own.ini")
    with path.open("w") as file:
        parser.write(file)
    path.chmod(0o444)
    return f"{TEMPORARY}/own.ini"


def test_user_is_no_administrator_and_the_tree_is_read_only(image: Image):
    assert image.run(["id", "-u"]) == "10001\n"
    write = "import sys\ntry: open(sys.argv[1], 'w')\nexcept OSError as e: print(e.strerror)"
    for path in ("/opt/jobtracker/x", "/etc/jobtracker/x", "/usr/local/bin/x"):
        assert image.run(["python", "-c", write, path]) == "Read-only file system\n"
    assert image.run(["sh", "-c", "touch /tmp/x && rm /tmp/x"]) == ""


def test_environment_has_no_pip(image: Image):
    find = "from importlib.util import find_spec; print(find_spec('pip'))"
    assert image.run(["/opt/jobtracker/bin/python", "-c", find]) == "None\n"


def test_only_what_is_needed_is_copied(image: Image):
    files = [path.name for path in image.path("/etc/jobtracker").iterdir()]
    assert files == ["production.ini"]
    packages = image.path("/opt/jobtracker/lib").glob("python*/site-packages/*")
    names = {path.name for path in packages}
    assert "jobtracker" in names
    assert not names & {"tests", "benchmarks", "moto", "pytest"}


def test_missing_environment_is_one_line_for_each_variable(image: Image):
    pipe: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with image.popen([*image.entrypoint, *image.command], **pipe) as process:
        output, _ = process.communicate(timeout=SECONDS_TO_START)
    assert process.returncode == 1
    assert "Setting sqlalchemy.url: the environment variable DATABASE_URL is not set" in output
    assert "Traceback" not in output


def test_image_migrates_and_serves_until_its_stop_signal(
    image: Image, env: dict[str, str], ini: str, port: str, user_pool: MotoUserPool
):
    image.run([*image.entrypoint, "migrate", ini], env)
    command = [
        *image.entrypoint,
        *(ini if word.endswith(".ini") else word for word in image.command),
    ]
    healthcheck = [word.replace(PORT, port) for word in image.healthcheck]
    log = Path(f"/proc/{image.machine.pid}/root/mnt/log")
    with log.open("w") as output:
        process = image.popen(command, env, stdout=output, stderr=output)

    def is_healthy() -> bool:
        assert process.poll() is None, log.read_text()
        with image.popen(healthcheck, stderr=subprocess.DEVNULL) as check:
            return check.wait() == 0

    try:
        assert wait_until(is_healthy, SECONDS_TO_START), log.read_text()
        token = user_pool.user("ada@example.com", "Ada").access_token
        answer = http_request(
            "GET", f"http://127.0.0.1:{port}/users/me", headers={"Authorization": f"Bearer {token}"}
        )
        assert (answer.status, answer.json()["email"]) == (200, "ada@example.com"), log.read_text()
        image.run([*image.entrypoint, "sweep", ini], env)
        process.send_signal(getattr(signal, image.stop_signal))
        assert process.wait(SECONDS_TO_STOP) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(port))) != 0
