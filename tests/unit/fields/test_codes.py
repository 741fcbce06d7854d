"""Codes: blanks, dashes and digits of other scripts."""

import pytest
from colander import Invalid, SchemaNode
from hypothesis import given
from hypothesis import strategies as st

from jobtracker.fields import Code, normalized_code

BLANKS = " \t\n\r\u00a0\u2003\u2009\u202f\u3000\u200b\u2060\ufeff\u2800\u3164"
ZEROS = "0\u0660\u06f0\u0966\u0e50\uff10"  # Arabic, Persian, Devanagari, Thai, full-width


@given(st.text())
def test_normalizing_twice_is_normalizing_once(text: str):
    assert normalized_code(normalized_code(text)) == normalized_code(text)


@given(
    st.text("0123456789", min_size=6, max_size=6),
    st.sampled_from(ZEROS),
    st.text(BLANKS + "-\u2013"),
)
def test_digits_are_found_in_any_script_between_any_blanks(code: str, zero: str, between: str):
    written = between.join(chr(ord(zero) + int(digit)) for digit in code)
    assert normalized_code(f"{between}{written}{between}") == code
    assert SchemaNode(Code(digits=6)).deserialize(written) == code


@pytest.mark.parametrize("code", ["Ab-12", "a_b", "\u00e4", "12-ab"])
def test_dashes_are_kept_unless_they_are_between_digits(code: str):
    assert normalized_code(f" {code} ") == code


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "", " - ", "\u00b2" * 6, "123.456"])
def test_other_codes_are_invalid(code: str):
    with pytest.raises(Invalid):
        SchemaNode(Code(digits=6)).deserialize(code)
