"""Log formatters, as text and as JSON, with the id of the request; no secrets in the log.

:class:`SafeLogRecord` keeps secrets out, whatever levels, handlers and formatters are configured,
and whenever: the class of records is not part of the configuration.

An ini file selects one in its ``[formatter_…]``: ``class = jobtracker.logs.JsonFormatter`` or
``jobtracker.logs.TextFormatter``.
"""

import contextvars
import datetime
import json
import logging
import re
import time
import traceback
from typing import Any

#: The id of the current request.
request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")

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
        return redact(super().getMessage())


def _is_trusted(name: str) -> bool:
    return name.partition(".")[0] in TRUSTED_LOGGERS


class TextFormatter(logging.Formatter):
    """Text, with ``%(request_id)s`` for the id of the request; times are in UTC."""

    converter = time.gmtime  # type: ignore[assignment]

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """A JSON object for each record, with the id of the request and all of ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        created = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        entry = {
            "time": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": request_id.get(),
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            entry["exception"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def includeme(config: object) -> None:
    logging.setLogRecordFactory(SafeLogRecord)
    # Thousands of omitted records are of no use, where DEBUG is the level of the root logger.
    known = [name for name in logging.root.manager.loggerDict if name.startswith(NOISY_LOGGERS)]
    for name in {*NOISY_LOGGERS, *known}:
        logger = logging.getLogger(name)
        if name in NOISY_LOGGERS or logger.level != logging.NOTSET:
            logger.setLevel(max(logger.getEffectiveLevel(), logging.INFO))
