"""The local stack in folders whose names mean something to a shell, an ini file, a URL or libpq."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobtracker.local.turnstile import DUMMY_TOKEN
from tests.common.server import Server

pytestmark = pytest.mark.torture

NAMES = [
    "with blanks  and, commas, R&D, a+b=c",
    "%20 50% off #1? %(here)s",
    "${HOME} $(touch made)",
    'it\'s "quoted" back\\slash',
    "\u00dcberpr\u00fcfung \u6771\u4eac \U0001f4bc " + "x" * 90,
]
SIGN_UP = {"email": "ada@example.com", "password": "Lovelace-1815", "name": "Ada"}


@pytest.fixture
def parent() -> Iterator[Path]:
    # Not below pytest's folder, which PostgreSQL's own user cannot enter.
    with tempfile.TemporaryDirectory(prefix="jobtracker-") as folder:
        yield Path(folder)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_stack_starts_in_folder_and_leaves_no_process(parent: Path, name: str):
    folder = parent / name
    folder.mkdir()
    server = Server(folder)
    if "%" in name or "\\" in name:  # which PasteDeploy interprets: as the Makefile does
        server.ini = Path("/proc/self/cwd", server.ini.name)
    server.start()
    try:
        sign_up = {**SIGN_UP, "turnstile_token": DUMMY_TOKEN}
        assert server.call("POST", "/auth/cognito/signup", sign_up)[0] == 200
    finally:
        server.stop()
        server.wait_until_all_are_gone()
    assert set(os.listdir(folder)) == {"development.ini", "output", "var"}
    assert os.listdir(parent) == [name]
