"""What SQL is given."""

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from jobtracker.db.statements import text_array

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def test_text_array_is_read_as_it_was_meant(connection: Connection):
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, psycopg.Connection)

    @given(st.lists(st.one_of(TEXTS, st.sampled_from(["NULL", "", "\\", '"', "{}", ",", " a "]))))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def check(texts: list[str]) -> None:
        found = driver.execute("SELECT %s::text[]", [text_array(texts)]).fetchone()
        assert found == (texts,)

    check()
