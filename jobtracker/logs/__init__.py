"""Log formatters, as text and as JSON, with the id of the request; no secrets in the log.

:class:`SafeLogRecord` keeps secrets out, whatever levels, handlers and formatters are configured,
and whenever: the class of records is not part of the configuration.

An ini file selects one in its ``[formatter_…]``: ``class = jobtracker.logs.JsonFormatter`` or
``jobtracker.logs.TextFormatter``.
"""

import contextvars
import functools
import json
import logging
import re
import time
import traceback
from typing import Any

import orjson

#: The id of the current request.
request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")

#: The trace id of the current request (W3C Trace Context), if it is known.
trace_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("trace_id", default=None)

# At DEBUG these log what they send and receive: passwords, tokens, presigned URLs, rows.
NOISY_LOGGERS = ("boto3", "botocore", "s3transfer", "urllib3", "sqlalchemy")

# The loggers whose records below WARNING are logged; of all others only OMITTED is.
TRUSTED_LOGGERS = ("jobtracker", "alembic", "granian", "_granian", "waitress")
OMITTED = "(omitted: it can contain secrets)"

# What a text contains to which the pattern can apply, for the sake of speed; what replaces it.
# A client can choose parts of the text: each pattern takes linear time, by possessive quantifiers.
_REPLACEMENTS = (
    # The query of a URL or path: signatures, cursors, search terms.
    (
        "?",
        re.compile(r"""(?x) (?<![^\s?'"<>]) (?=[^\s?'"<>/]*/) ([^\s?'"<>]*+) \?[^\s'"<>]+"""),
        r"\1?***",
    ),
    # The password of a URL.
    ("://", re.compile(r"""(://[^\s:/@'"]*):[^\s/@'"]+@"""), r"\1:***@"),
    # A JWT or JWE, and other credentials in Authorization.
    ("eyJ", re.compile(r"eyJ[\w-]{8,}+(?:\.[\w-]*+)*+"), "***"),
    ("earer ", re.compile(r"(earer +)[\w.~+/=-]+"), r"\1***"),
    # An entry of a dictionary or of JSON.
    (
        ":",
        re.compile(
            r"""(?ix) (['"] [\w-]* (?:password|secret|token|code|session|signature|authorization
                |idempotency[-_]key) ['"] \s* : \s*) (['"]) (?:\\.|(?!\2)[^\\\n])*+ (?:\2|\\?\Z)"""
        ),
        r"\1\2***\2",
    ),
)

# The attributes of every record; all others were passed as ``extra``.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    """The text without queries, tokens and credentials, as far as they are known by their form."""
    for part, pattern, replacement in _REPLACEMENTS:
        if part in text:
            text = pattern.sub(replacement, text)
    return text


class SafeLogRecord(logging.LogRecord):
    """A record whose message and exception are redacted, or omitted where a library logs what it
    sends and receives."""

    def __init__(
        self,
        name: str,
        level: int,
        pathname: str,
        lineno: int,
        msg: Any,
        args: Any,
        exc_info: Any,
        func: str | None = None,
        sinfo: str | None = None,
        **kwargs: Any,
    ) -> None:
        # logging.makeLogRecord() has neither a name nor a level.
        if level is not None and level < logging.WARNING and not _is_trusted(name):
            msg, args, exc_info, sinfo = OMITTED, (), None, None
        super().__init__(name, level, pathname, lineno, msg, args, exc_info, func, sinfo, **kwargs)
        if isinstance(exc_info, tuple) and exc_info[0] is not None:
            # Formatters use it instead of formatting exc_info.
            self.exc_text = redact("".join(traceback.format_exception(*exc_info)).rstrip("\n"))

    def getMessage(self) -> str:  # noqa: N802 (the name of logging's)
        try:
            message = super().getMessage()
        except Exception as error:  # logging writes a traceback to stderr, with the arguments
            message = f"{self.msg!r} is not formatted: {type(error).__name__}"
        return redact(message)


class AccessRecord(logging.LogRecord):
    """A record of the access log: :meth:`logging.Logger.info` would take ten times as long.

    :param fields: the JSON object: ASCII, and redacted
    """

    def __init__(self, name: str, created: float, fields: dict[str, Any]) -> None:
        # Not that of LogRecord, which takes as long as all the rest.
        vars(self).update(_ACCESS, name=name, msg=fields["message"], created=created, **fields)
        self.msecs = created % 1 * 1000
        self.process = fields["worker"]
        self.fields = fields

    def getMessage(self) -> str:  # noqa: N802 (the name of logging's)
        return str(self.msg)


# Of each AccessRecord, for formatters of others.
_ACCESS = vars(logging.LogRecord("", logging.INFO, __file__, 0, "", (), None))


def _is_trusted(name: str) -> bool:
    return name.partition(".")[0] in TRUSTED_LOGGERS


class TextFormatter(logging.Formatter):
    """Text, with ``%(request_id)s`` for the id of the request; times are in UTC.

    The lines after the first of a record are indented, and control characters are escaped.
    """

    converter = time.gmtime  # type: ignore[assignment]

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return _CONTROL.sub(_escape, super().format(record))


class JsonFormatter(logging.Formatter):
    """A JSON object for each record, with the id of the request and all of ``extra``: one line of
    ASCII, whatever it contains."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record, AccessRecord):
            return orjson.dumps(record.fields).decode()
        entry: dict[str, Any] = {
            "time": utc(record.created),
            "level": record.levelname,
            "logger": record.name,
        }
        entry |= {"request_id": request_id.get(), "message": record.getMessage()}
        if (trace := trace_id.get()) is not None:
            entry["trace_id"] = trace
        entry |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            entry["exception"] = record.exc_text or self.formatException(record.exc_info)
        if record.stack_info:
            entry["stack"] = redact(record.stack_info)
        return json.dumps(entry, default=_as_text, skipkeys=True)


# C0 and C1 controls but the tab, line separators of Unicode, what changes the direction of text.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _escape(match: re.Match[str]) -> str:
    return "\n    " if match[0] == "\n" else match[0].encode("unicode_escape").decode("ascii")


def utc(seconds: float) -> str:
    """A Unix time in the form of RFC 3339, to the millisecond."""
    whole = int(seconds)
    return f"{_utc_second(whole)}.{int((seconds - whole) * 1000):03}Z"


@functools.lru_cache(maxsize=2)
def _utc_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _as_text(value: Any) -> str:
    try:
        return redact(str(value))
    except Exception as error:
        return f"({type(value).__name__} without text: {type(error).__name__})"


def includeme(config: object) -> None:
    logging.setLogRecordFactory(SafeLogRecord)
    # Thousands of omitted records are of no use, where DEBUG is the level of the root logger.
    known = [name for name in logging.root.manager.loggerDict if name.startswith(NOISY_LOGGERS)]
    for name in {*NOISY_LOGGERS, *known}:
        logger = logging.getLogger(name)
        if name in NOISY_LOGGERS or logger.level != logging.NOTSET:
            logger.setLevel(max(logger.getEffectiveLevel(), logging.INFO))
