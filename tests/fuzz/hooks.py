"""Findings of Schemathesis to be ignored: see ``__main__.py``."""

from collections.abc import Iterator
from typing import Any

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure

from jobtracker.fields import trimmed_text


@schemathesis.hook
def filter_failure(_context: Any, failure: Failure, case: Any, _response: Any) -> bool:
    """Ignore accepted text that is only valid once trimmed: a JSON Schema of the trimmed text would
    state a wrong maximum length."""
    if not isinstance(failure, AcceptedNegativeData):
        return True
    return all(_is_trimmed(text) for text in _texts([case.body, case.query]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _is_trimmed(text: str) -> bool:
    return text == trimmed_text(None, text.replace("\0", ""))
