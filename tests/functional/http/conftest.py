import pytest
from sqlalchemy import Engine, text

from tests.common.api import Api
from tests.common.pagination import user_id


@pytest.fixture
def many(client: Api, engine: Engine) -> int:
    """The number of jobs, which are created with equal keys in each order."""
    count = 60
    with engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO jobs (user_id, company_name, job_title, status, tags, location,
                                  created_at, updated_at, last_activity_at)
                SELECT :user,
                       (ARRAY['acme', 'ACME', 'Zürich', '"quoted" \\ % _', 'émile'])[1 + n % 5],
                       'x', (ARRAY['saved', 'applied', 'offer', 'ghosted'])[1 + n % 4],
                       ARRAY['t' || n % 3], CASE WHEN n % 2 = 0 THEN 'Graz' END,
                       moment, moment + n % 2 * interval '1 microsecond',
                       moment + n % 4 * interval '1 microsecond'
                FROM generate_series(1, :count) AS n,
                     LATERAL (SELECT timestamptz '2026-01-01 00:00:00.123456+00'
                              + n / 8 * interval '1 microsecond' AS moment) AS moments
            """),
            {"user": user_id(client), "count": count},
        )
    return count
