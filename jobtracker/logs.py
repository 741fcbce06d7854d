"""Log formatters, as text and as JSON, with the id of the request; no secrets in the log.

An ini file selects one in its ``[formatter_…]``: ``class = jobtracker.logs.JsonFormatter`` or
``jobtracker.logs.TextFormatter``.
"""

import contextvars
import datetime
import json
import logging
import time

#: The id of the current request.
request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")

# At DEBUG these log what they send and receive: passwords, tokens, presigned URLs, rows.
NOISY_LOGGERS = ("boto3", "botocore", "s3transfer", "urllib3", "sqlalchemy")

# The attributes of every record; all others were passed as ``extra``.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


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
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def includeme(config: object) -> None:
    # An ini file can also set the level of a child logger, as sqlalchemy.engine.
    known = [name for name in logging.root.manager.loggerDict if name.startswith(NOISY_LOGGERS)]
    for name in {*NOISY_LOGGERS, *known}:
        logger = logging.getLogger(name)
        if name in NOISY_LOGGERS or logger.level != logging.NOTSET:
            logger.setLevel(max(logger.getEffectiveLevel(), logging.INFO))
