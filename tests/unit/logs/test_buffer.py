"""Lines of the access log are written together: in order, whole, and none is lost at an exit."""

import io
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from jobtracker.local import CHECKOUT
from jobtracker.logs import JsonFormatter, TextFormatter
from jobtracker.logs.buffer import MAX_BYTES, LineBuffer, buffer_of

CONFIGURE = """
import logging, multiprocessing, os, signal, sys, threading, time
from functools import partial
from jobtracker.logs import JsonFormatter
from jobtracker.logs.uncaught import log_uncaught
handler = logging.StreamHandler(sys.stderr)
handler.setFormatter(JsonFormatter())
logging.root.addHandler(handler)
log_uncaught()
from jobtracker.logs import buffer
buffer.DELAY = 3600
lines = sys.stderr.stream
def write(number):
    lines.write_later(partial(bytes, b'{"line": %d}\\n' % number))
for number in range(100):
    write(number)
"""


class Stream(io.StringIO):
    """A stream whose writes are recorded, and can fail."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []
        self.fails = False

    def write(self, text: str) -> int:
        if self.fails:
            raise OSError("no space left")
        self.writes.append(text)
        return len(text)

    def wait(self, number: int) -> None:
        """Wait for that number of writes."""
        deadline = time.monotonic() + 30
        while len(self.writes) < number:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def stream() -> Stream:
    return Stream()


def test_lines_are_written_together_after_a_moment(stream: Stream):
    buffer = LineBuffer(stream)
    for line in (b"a\n", b"b\n"):
        buffer.write_later(partial(bytes, line))
    stream.wait(1)
    buffer.write_later(partial(bytes, b"c\n"))
    stream.wait(2)
    assert "".join(stream.writes) == "a\nb\nc\n"


def test_an_error_in_a_line_does_not_lose_the_others(
    stream: Stream, caplog: pytest.LogCaptureFixture
):
    def fail() -> bytes:
        raise ValueError

    buffer = LineBuffer(stream)
    for make_line in (partial(bytes, b"a\n"), fail, partial(bytes, b"b\n")):
        buffer.write_later(make_line)
    buffer.flush()
    assert "".join(stream.writes) == "a\nb\n"
    assert "Unexpected error in a line of the access log" in caplog.text


def test_other_text_is_written_at_once_after_the_lines_before_it(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("jobtracker.logs.buffer.DELAY", 3600)
    buffer = LineBuffer(stream)
    buffer.write_later(partial(bytes, b"a\n"))
    buffer.write("error\n")
    buffer.write_later(partial(bytes, b"b\n"))
    buffer.flush()
    assert stream.writes == ["a\n", "error\n", "b\n"]


def test_each_write_has_whole_lines_and_is_atomic_on_a_pipe(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("jobtracker.logs.buffer.DELAY", 3600)
    buffer = LineBuffer(stream)
    lines = [b"%04d" % number + b"x" * (number % 700) + b"\n" for number in range(2000)]
    lines.insert(1000, b"y" * 2 * MAX_BYTES + b"\n")
    for line in lines:
        buffer.write_later(partial(bytes, line))
    buffer.flush()
    assert "".join(stream.writes).encode() == b"".join(lines)
    assert all(text.endswith("\n") for text in stream.writes)
    assert [len(text) > MAX_BYTES for text in stream.writes].count(True) == 1
    assert len(stream.writes) < len(lines) / 5


def test_no_request_waits_for_a_slow_write(stream: Stream, monkeypatch: pytest.MonkeyPatch):
    began, released = threading.Event(), threading.Event()

    def write(text: str) -> int:
        began.set()
        released.wait(30)
        return len(text)

    monkeypatch.setattr(stream, "write", write)
    buffer = LineBuffer(stream)
    buffer.write_later(partial(bytes, b"a\n"))
    assert began.wait(30)
    request = threading.Thread(target=buffer.write_later, args=[partial(bytes, b"b\n")])
    request.start()
    request.join(10)
    try:
        assert not request.is_alive()
    finally:
        released.set()


def test_lines_that_wait_have_a_maximum(stream: Stream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jobtracker.logs.buffer.DELAY", 3600)
    monkeypatch.setattr("jobtracker.logs.buffer.MAX_LINES", 2)
    buffer = LineBuffer(stream)
    for line in (b"a\n", b"b\n", b"c\n"):
        buffer.write_later(partial(bytes, line))
    assert stream.writes == ["a\nb\nc\n"]


def test_error_of_the_stream_reaches_no_request_and_ends_nothing(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
):
    buffer = LineBuffer(stream)
    stream.fails = True
    buffer.write_later(partial(bytes, b"lost\n"))
    for _ in range(2):
        buffer.write_later(partial(bytes, b"x" * (MAX_BYTES - 1) + b"\n"))
    time.sleep(0.2)
    stream.fails = False
    buffer.write_later(partial(bytes, b"kept\n"))
    deadline = time.monotonic() + 30
    while "kept\n" not in "".join(stream.writes):
        assert time.monotonic() < deadline
        time.sleep(0.01)


EXITS = {
    "return": "",
    "sys.exit": "sys.exit(3)",
    "exception": "raise ValueError",
    "child": "child = multiprocessing.get_context('fork').Process(target=lambda: [\n"
    "    write(number) for number in range(100, 200)])\n"
    "child.start(); child.join()",
    "thread": "thread = threading.Thread(target=write, args=[100])\nthread.start()",
}


@pytest.mark.parametrize("program", EXITS.values(), ids=EXITS)
def test_exit_writes_all_lines_once_and_in_order(program: str):
    command = [sys.executable, "-c", CONFIGURE + program]
    errors = subprocess.run(  # noqa: S603 (our own program)
        command, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True, check=False
    ).stderr.splitlines()
    numbers = [int(line[9:-1]) for line in errors if line.startswith('{"line"')]
    own = [number for number in numbers if number < 100]
    assert own == list(range(100))
    assert [number for number in numbers if number > 100] == list(range(101, len(numbers)))
    if program == EXITS["exception"]:
        assert "Uncaught exception" in errors[-1]


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("tests.access")
    made.propagate = False
    yield made
    made.handlers.clear()
    made.filters.clear()
    made.propagate = True


def json_handler(stream: Any) -> logging.StreamHandler[Any]:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    return handler


def test_buffer_is_used_where_the_logger_has_nothing_else(logger: logging.Logger, stream: Stream):
    buffer = LineBuffer(stream)
    assert buffer_of(logger) is None
    logger.handlers[:] = [json_handler(buffer)]  # without those of pytest
    assert buffer_of(logger) is buffer
    for change, back in (
        (lambda: logger.addHandler(logging.NullHandler()), lambda: logger.handlers.pop()),
        (lambda: logger.addFilter(bool), lambda: logger.filters.clear()),
        (lambda: logger.handlers[0].addFilter(bool), lambda: logger.handlers[0].filters.clear()),
        (lambda: logger.handlers[0].setLevel(30), lambda: logger.handlers[0].setLevel(0)),
        (
            lambda: logger.handlers[0].setFormatter(TextFormatter()),
            lambda: logger.handlers[0].setFormatter(JsonFormatter()),
        ),
    ):
        change()
        assert buffer_of(logger) is None
        back()
        assert buffer_of(logger) is buffer
    logger.handlers[:] = [json_handler(stream)]
    assert buffer_of(logger) is None


def test_fork_does_not_repeat_the_lines_of_its_parent():
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w") as stream:
        buffer = LineBuffer(stream)
        buffer.write_later(partial(bytes, b"parent\n"))
        child = os.fork()
        if child == 0:
            buffer.flush()
            os._exit(0)
        os.waitpid(child, 0)
        buffer.flush()
    with os.fdopen(read_end) as written:
        assert written.read() == "parent\n"
