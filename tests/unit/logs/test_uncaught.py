"""What would be written to stderr is one JSON object in each line of it."""

import json
import subprocess
import sys
from typing import Any

import pytest

from jobtracker.local import CHECKOUT

CONFIGURE = """
import logging, os, sys, threading, warnings
from jobtracker.logs import JsonFormatter
from jobtracker.logs.uncaught import log_uncaught, logged_exit
handler = logging.StreamHandler(sys.stderr)
handler.setFormatter(JsonFormatter())
logging.root.addHandler(handler)
log_uncaught()
"""
FAIL = "raise ValueError('two\\nlines')"


def run(program: str) -> list[dict[str, Any]]:
    """The entries that a program logs."""
    result = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-W", "default::UserWarning", "-c", CONFIGURE + program],
        cwd=CHECKOUT,
        capture_output=True,
        check=False,
    )
    return [json.loads(line) for line in result.stderr.decode("ascii").splitlines()]


@pytest.mark.parametrize(
    ("program", "level", "message"),
    [
        (FAIL, "CRITICAL", "Uncaught exception"),
        (f"def f():\n {FAIL}\nt = threading.Thread(target=f, name='t1')\nt.start()", "CRITICAL",
         "Uncaught exception in t1"),
        ("class C:\n def __del__(self):\n  raise ValueError('two\\nlines')\nC()", "ERROR", None),
        ("try:\n raise ValueError('two\\nlines')\nexcept ValueError:\n logging.exception('x')",
         "ERROR", "x"),
    ],
)  # fmt: skip
def test_exception_is_one_line_with_its_traceback(program: str, level: str, message: str | None):
    (entry,) = run(program)
    assert entry["level"] == level
    assert message is None or entry["message"] == message
    assert "ValueError: two\nlines" in entry["exception"]


@pytest.mark.parametrize(
    ("program", "messages"),
    [
        ("warnings.warn('careful')", ["<string>:9: UserWarning: careful"]),
        ("print('a\\nb', file=sys.stderr)", ["a", "b"]),
        ("sys.stderr.write('begun'); print(' and ended', file=sys.stderr)", ["begun and ended"]),
        ("with logged_exit():\n sys.exit('Setting a: x\\nSetting b: y')",
         ["Setting a: x", "Setting b: y"]),
        ("logging.error('%d', 'no number')", ["'%d' is not formatted: TypeError"]),
        ("class C:\n __str__ = None\nlogging.error('x', extra={'y': C()})", ["x"]),
        ("logging.error('\\ud800\\x1b[31m\\u2028.')", ["\ud800\x1b[31m\u2028."]),
    ],
)  # fmt: skip
def test_text_is_a_line_of_json(program: str, messages: list[str]):
    assert [each["message"].strip() for each in run(program)] == messages


def test_process_of_multiprocessing_is_json():
    entries = run(
        "import multiprocessing\n"
        "def f():\n 1 / 0\n"
        "p = multiprocessing.get_context('fork').Process(target=f)\np.start()\np.join()"
    )
    assert entries[-1]["message"] == "ZeroDivisionError: division by zero"


def test_later_configuration_of_logging_does_not_repeat_lines():
    again = CONFIGURE.replace(
        "logging.root.addHandler", "logging.root.handlers.clear(); logging.root.addHandler"
    )
    assert [
        each["message"] for each in run(again + "logging.error('x')\nprint('y', file=sys.stderr)")
    ] == ["x", "y"]
