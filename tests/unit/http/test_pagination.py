"""The signature of cursors."""

import base64
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtracker.http.pagination import SIGNATURE_BYTES, Cursors


class TestCursors:
    values = st.lists(st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8")))
    scopes = st.text(st.characters(codec="utf-8"))

    @given(values, scopes, scopes)
    def test_cursor_is_loaded_only_with_its_scope_and_secret(
        self, values: list[Any], scope: str, other: str
    ) -> None:
        cursors = Cursors("secret")
        cursor = cursors.dumps(values, scope)
        assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
        assert cursors.loads(cursor, scope) == values
        if other != scope:
            with pytest.raises(ValueError, match="not signed for this"):
                cursors.loads(cursor, other)
        with pytest.raises(ValueError, match="not signed for this"):
            Cursors("another secret").loads(cursor, scope)

    @given(values, scopes, st.data())
    def test_cursor_with_a_changed_byte_raises_value_error(
        self, values: list[Any], scope: str, data: st.DataObject
    ) -> None:
        cursors = Cursors("secret")
        cursor = cursors.dumps(values, scope)
        signed = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        index = data.draw(st.integers(0, len(signed) - 1))
        signed[index] ^= data.draw(st.integers(1, 255))
        tampered = base64.urlsafe_b64encode(bytes(signed)).rstrip(b"=").decode()
        with pytest.raises(ValueError, match="not signed for this"):
            cursors.loads(tampered, scope)

    @given(st.text() | st.binary().map(lambda some: base64.urlsafe_b64encode(some).decode()))
    def test_arbitrary_text_raises_value_error(self, garbage: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 (whichever: it is caught as that)
            Cursors("secret").loads(garbage, "scope")

    def test_scope_cannot_be_shifted_into_the_values(self) -> None:
        """The boundary between scope and values is part of the signed message."""
        cursors = Cursors("secret")
        signed = base64.urlsafe_b64decode(cursors.dumps([1], "7 /jobs") + "==")
        shifted = base64.urlsafe_b64encode(signed[:SIGNATURE_BYTES] + b"s[1]").decode()
        with pytest.raises(ValueError, match="not signed for this"):
            cursors.loads(shifted, "7 /job")
