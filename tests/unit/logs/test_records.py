"""Log records without secrets, whatever formatter is configured."""

import io
import logging
import logging.config
import time
from collections.abc import Iterator

import pytest

from jobtracker.logs import OMITTED, JsonFormatter, SafeLogRecord, redact

JWT = "eyJraWQiOiJkdW1teSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

INI = """
[loggers]
keys = root, botocore

[handlers]
keys =

[formatters]
keys =

[logger_root]
level = DEBUG
handlers =

[logger_botocore]
level = DEBUG
handlers =
qualname = botocore
"""


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The output of the root logger at DEBUG with logging's own formatter."""
    logging.setLogRecordFactory(SafeLogRecord)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(msg)s %(args)s"))
    root, botocore = logging.getLogger(), logging.getLogger("botocore")
    levels, handlers = (root.level, botocore.level), root.handlers[:]
    logging.config.fileConfig(io.StringIO(INI), disable_existing_loggers=False)
    root.addHandler(handler)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    botocore.setLevel(levels[1])


@pytest.mark.parametrize("name", ["botocore", "botocore.parsers", "any.other", "jobtracker_plugin"])
def test_records_of_libraries_below_warning_are_omitted(written: io.StringIO, name: str):
    try:
        raise ValueError("hidden")
    except ValueError:
        logging.getLogger(name).debug("%s", "hidden", exc_info=True, stack_info=True)
        logging.getLogger(name).info({"Password": "hidden"})
    assert "hidden" not in written.getvalue()
    assert written.getvalue().count(OMITTED) == 4


@pytest.mark.parametrize("name", ["jobtracker", "jobtracker.auth", "alembic", "_granian"])
def test_records_of_trusted_loggers_are_logged(written: io.StringIO, name: str):
    logging.getLogger(name).debug("visible")
    assert "visible" in written.getvalue()


@pytest.mark.parametrize("formatter", [logging.Formatter(), JsonFormatter()])
def test_exception_of_a_record_is_redacted(written: io.StringIO, formatter: logging.Formatter):
    logging.getLogger().handlers[-1].setFormatter(formatter)
    try:
        try:
            raise KeyError(f"Bearer {JWT}")
        except KeyError as error:
            raise ValueError("of this cause") from error
    except ValueError:
        logging.getLogger("any.other").exception("failed")
    assert "of this cause" in written.getvalue()
    assert "KeyError: 'Bearer ***'" in written.getvalue()


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("GET /jobs?q=private HTTP/1.1", "GET /jobs?*** HTTP/1.1"),
        ("<Request GET http://h/jobs?q=private>", "<Request GET http://h/jobs?***>"),
        ("https://b/k?X-Amz-Signature=a&b=c.", "https://b/k?***"),
        ("postgresql+psycopg://u:p@h/d failed", "postgresql+psycopg://u:***@h/d failed"),
        ("redis://:p@h:6379/0", "redis://:***@h:6379/0"),
        (f"token {JWT} is old", "token *** is old"),
        ("'HTTP_AUTHORIZATION': 'Bearer abc'", "'HTTP_AUTHORIZATION': '***'"),
        ("bearer abc.def=", "bearer ***"),
        ("""{"Password": "a\\"b", "x": "y"}""", """{"Password": "***", "x": "y"}"""),
        ("{'ConfirmationCode': '1', 'SecretCode': 'A'}", None),
        ("{'IDEMPOTENCY_KEY': 'k', 'Idempotency-Key': 'k'}", None),
        ("Cognito revoke_token: InternalErrorException", ...),
        ("GET /a/b?x=/y?z and c?/d?e", "GET /a/b?*** and c?/d?***"),
        ("{'Password': 'cut off in the m", "{'Password': '***'"),
        ("{'Password': 'cut off after \\", "{'Password': '***'"),
        ("Is this all? Yes, at 12:00.", ...),
    ],
)
def test_text_is_redacted_by_its_form(text: str, redacted: object):
    if redacted is None:
        assert redact(text).count("***") == 2
    else:
        assert redact(text) == (text if redacted is ... else redacted)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("/?" + "/" * 100_000, id="slashes"),
        pytest.param("eyJ" * 50_000, id="beginnings of JWTs"),
        pytest.param("eyJaaaaaaaa." * 10_000, id="parts of JWTs"),
        pytest.param("'token': '" + "\\" * 10_000 + "\n", id="escapes"),
        pytest.param("'token': '" * 10_000, id="entries"),
        pytest.param("'token" + " " * 10_000 + ":", id="blanks"),
    ],
)
def test_redaction_takes_linear_time(text: str):
    """A quadratic pattern takes minutes, an exponential one for ever."""
    started = time.monotonic()
    redact(text)
    assert time.monotonic() - started < 5
