"""The errors of an invalid body or query, as a 422 response reports them."""

from typing import Any

import colander

from jobtracker.errors import field_sentence
from jobtracker.fields.base import InvalidValue, title_of

MISSING = "A value is required."


def error_details(invalid: colander.Invalid, where: str) -> list[dict[str, Any]]:
    """``details.errors`` of a 422 response, for errors in ``body`` or ``query``."""
    errors = []
    for error in _errors(invalid):
        # A name of the input is bounded, and a lone surrogate in it replaced.
        name = error.node.name[:64].encode(errors="replace").decode()
        loc = [where] if error is invalid else [where, name]
        kind = getattr(error, "type", "missing")
        errors.append({"loc": loc, "msg": _message(error), "type": kind})
    return errors


def first_sentence(invalid: colander.Invalid, where: str) -> str:
    """The first error as a sentence that names the field; no name of the input is part of it."""
    error = _errors(invalid)[0]
    if sentence := getattr(error, "sentence", ""):
        return sentence
    message, subject = _message(error), f"The {where if error is invalid else title_of(error.node)}"
    if message == MISSING:
        message = f"{'Are' if error.node.typ.plural else 'Is'} required."
    return field_sentence(subject, message)


def omitted_errors(invalid: colander.Invalid) -> int:
    """How many more fields are invalid than error_details() has errors of."""
    return getattr(invalid, "omitted", 0)


def _errors(invalid: colander.Invalid) -> list[colander.Invalid]:
    return invalid.children or [invalid]


def _message(error: colander.Invalid) -> str:
    return str(error.msg) if isinstance(error, InvalidValue) else MISSING
