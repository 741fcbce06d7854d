"""The signature of cursors, and the size of pages."""

import base64
import re
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import column

from jobtracker.db.keyset import Page, Sort, SortKey
from jobtracker.fields import RowOut
from jobtracker.http.pagination import SIGNATURE_BYTES, Cursors, render_page


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


class TestRenderPage:
    class Row(NamedTuple):
        id: int

    SORT = Sort(SortKey(column("id")))

    def page(self, *ids: int, limit: int | None = None) -> Page[Any]:
        return Page.from_rows([self.Row(each) for each in ids], limit, self.SORT)

    def test_page_that_fits_is_rendered_whole(self):
        assert render_page(self.page(1, 2), RowOut(), 19)[0] == b'[{"id":1},{"id":2}]'
        page = self.page(1, 2, 3, limit=2)
        assert render_page(page, RowOut())[1] == page
        assert render_page(self.page(), RowOut(), 2)[0] == b"[]"

    def test_page_that_does_not_fit_ends_early(self):
        body, page = render_page(self.page(1, 2, 3), RowOut(), 21)
        assert body == b'[{"id":1},{"id":2}]'
        assert (page.rows, page.next_sort_keys) == ([self.Row(1), self.Row(2)], [2])

    def test_page_has_one_row_at_least(self):
        body, page = render_page(self.page(1, 2), RowOut(), 1)
        assert (body, page.next_sort_keys) == (b'[{"id":1}]', [1])
