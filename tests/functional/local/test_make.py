"""`make serve` and the installation into .venv, interrupted as a terminal does it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobtracker.local import CHECKOUT
from jobtracker.local.process import wait_until
from tests.common.server import SECONDS_TO_START, SECONDS_TO_STOP, Server

WITHOUT_ENSUREPIP = "importlib.util.find_spec = lambda name: None"

Moment = Callable[[Path], bool]


def make(folder: Path, *arguments: str, terminal: int | None = None) -> subprocess.Popen[str]:
    """make as the first process of a session.

    :param terminal: the controlling terminal, if the session has one
    """
    command = [] if terminal is None else ["setsid", "--ctty"]
    return subprocess.Popen(  # noqa: S603 (our own program)
        [*command, "make", *arguments],
        cwd=folder,
        stdin=terminal,
        # Without the variables of the make that runs the tests.
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=terminal is None,
    )


def serve(server: Server, moment: Moment, terminal: int | None = None) -> subprocess.Popen[str]:
    """Start `make serve`, and wait for a moment of the start."""
    folder = server.folder
    for name in ("Makefile", "jobtracker", "migrations", "deploy"):
        (folder / name).symlink_to(CHECKOUT / name)
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    process = make(folder, "INSTALLED=", "serve", terminal=terminal)
    assert wait_until(lambda: moment(folder) or process.poll(), SECONDS_TO_START)
    assert process.poll() is None, process.communicate()[0]
    return process


def interrupt(server: Server, moment: Moment, send: Callable[[int], None]) -> str:
    """Start `make serve`, send a signal at a moment of the start, and return the output."""
    process = serve(server, moment)
    send(process.pid)
    output, _errors = process.communicate(timeout=SECONDS_TO_STOP)
    server.wait_until_all_are_gone()
    return output


def of_terminal(process: int) -> None:
    os.killpg(process, signal.SIGINT)


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def imports(_folder: Path) -> bool:
    time.sleep(1)
    return True


def start_of_postgres(folder: Path) -> bool:
    return (folder / "var" / "postgres.new").exists()


def start_of_ministack(folder: Path) -> bool:
    return (folder / "var" / "log" / "aws.log").exists()


def test_interrupted_start_shows_no_traceback_and_leaves_no_process(tmp_path: Path):
    interrupts = [
        (imports, of_terminal),
        (start_of_postgres, of_terminal),
        (start_of_ministack, kill),
    ]
    folders = [tmp_path / moment.__name__ for moment, _send in interrupts]
    for folder in folders:
        folder.mkdir()
    servers = [Server(folder) for folder in folders]
    with ThreadPoolExecutor(len(interrupts)) as threads:
        outputs = list(threads.map(interrupt, servers, *zip(*interrupts, strict=True)))
    assert not any("Traceback" in output for output in outputs), outputs


def test_closed_terminal_leaves_no_process(tmp_path: Path):
    server = Server(tmp_path)
    emulator, terminal = os.openpty()
    process = serve(server, start_of_ministack, terminal)
    os.close(terminal)
    os.close(emulator)
    process.communicate(timeout=SECONDS_TO_STOP)
    server.wait_until_all_are_gone()


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A checkout without .venv."""
    (tmp_path / "requirements").mkdir()
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "requirements/install.py"):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    (tmp_path / "requirements" / "dev.txt").touch()
    # Without blanks in its path.
    (tmp_path / "python").symlink_to(Path(sys.executable).resolve())
    return tmp_path


def install(fresh: Path) -> subprocess.Popen[str]:
    return make(fresh, "PYTHON=./python", ".venv/.installed")


def test_interrupted_installation_begins_again(fresh: Path):
    for name in ("python", "pip"):  # pip is there when ensurepip has ended
        process = install(fresh)
        assert wait_until(lambda: (fresh / ".venv" / "bin" / name).exists(), 60)  # noqa: B023
        of_terminal(process.pid)
        output, _errors = process.communicate()
        assert process.returncode
        assert "Traceback" not in output
        assert not (fresh / ".venv" / ".installed").exists()


def test_folder_whose_path_has_a_colon_is_refused_with_one_line(fresh: Path):
    process = install(fresh.rename(fresh.with_name("a:b")))
    output, _errors = process.communicate()
    line, _line_of_make = output.splitlines()
    assert "a:b" in line


@pytest.mark.parametrize("change", ["sys.version_info = (3, 10)", WITHOUT_ENSUREPIP])
def test_python_that_cannot_install_is_refused_with_one_line(fresh: Path, change: str):
    program = (
        f"import importlib.util, runpy, sys; {change};"
        "runpy.run_path('requirements/install.py', run_name='__main__')"
    )
    refused = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-c", program], cwd=fresh, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
