"""Log lines: which request each is about, as text or as JSON; and what never is in one.

An ini file chooses: ``class = jobtracker.logs.JsonFormatter`` in its ``[formatter_…]``, or
``jobtracker.logs.TextFormatter``.
"""

import contextvars
import datetime
import json
import logging
import time

#: The id of the request that is being served.
request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")

# At DEBUG these write down what they send and receive: passwords, tokens, presigned URLs, rows.
NOISY_LOGGERS = ("boto3", "botocore", "s3transfer", "urllib3", "sqlalchemy")

# What every record has. All else came as ``extra``.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class TextFormatter(logging.Formatter):
    """Lines for people; ``%(request_id)s`` is what they belong to. Times are UTC."""

    converter = time.gmtime  # type: ignore[assignment]

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """One JSON object for each record, for programs: the request's id and all extras included."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        told = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": request_id.get(),
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _USUAL},
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def includeme(config: object) -> None:
    # Those too that an ini file names one by one: sqlalchemy.engine, for instance.
    known = [name for name in logging.root.manager.loggerDict if name.startswith(NOISY_LOGGERS)]
    for name in {*NOISY_LOGGERS, *known}:
        logger = logging.getLogger(name)
        if name in NOISY_LOGGERS or logger.level != logging.NOTSET:
            logger.setLevel(max(logger.getEffectiveLevel(), logging.INFO))
