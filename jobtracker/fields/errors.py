"""The errors of an invalid body or query, as a 422 response reports them."""

from typing import Any

import colander

from jobtracker.fields.base import InvalidValue


def error_details(invalid: colander.Invalid, where: str) -> list[dict[str, Any]]:
    """``details.errors`` of a 422 response, for errors in ``body`` or ``query``."""
    errors = []
    for error in invalid.children or [invalid]:
        # A name of the input is bounded, and a lone surrogate in it replaced.
        name = error.node.name[:64].encode(errors="replace").decode()
        message = str(error.msg) if isinstance(error, InvalidValue) else "A value is required."
        loc = [where] if error is invalid else [where, name]
        errors.append({"loc": loc, "msg": message, "type": getattr(error, "type", "missing")})
    return errors
