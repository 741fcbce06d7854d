"""job_journeys: a summary of the steps of each job for the funnel, maintained by triggers.

The triggers run once for each statement, not for each row.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | None = None
depends_on: str | None = None

STATUSES = (
    *("saved", "applied", "recruiter_screen", "interviewing", "onsite", "offer"),
    *("accepted", "rejected", "withdrawn", "ghosted", "archived"),
)
RUNGS = {
    "saved": 1,
    "applied": 2,
    "recruiter_screen": 3,
    "interviewing": 4,
    "onsite": 4,
    "offer": 5,
    "accepted": 6,
}
TOP = 6

OF_CHANGED = "WHERE (user_id, application_id) IN (SELECT user_id, application_id FROM changed)"

# trigger -> its event, and the rows whose jobs are summarized again
TRIGGERS = {
    "keep_journeys_of_new": "AFTER INSERT ON job_steps REFERENCING NEW TABLE AS changed",
    "keep_journeys_of_old": "AFTER DELETE ON job_steps REFERENCING OLD TABLE AS changed",
    "keep_journeys_after_update": "AFTER UPDATE ON job_steps REFERENCING NEW TABLE AS changed",
    "keep_journeys_before_update": "AFTER UPDATE ON job_steps REFERENCING OLD TABLE AS changed",
}


def days_on(rung: int) -> str:
    """SQL for the days spent on a rung; null if the job never reached it.

    On the top rung only completed stays count.
    """
    # date_part() returns a float; extract() returns numeric, which is slower.
    days = f"date_part('epoch', sum(stayed) FILTER (WHERE rung = {rung})) / 86400"
    if rung == TOP:
        return days
    return f"CASE WHEN count(*) FILTER (WHERE rung = {rung}) > 0 THEN coalesce({days}, 0) END"


def journeys(where: str = "") -> str:
    """SQL that inserts the summaries of the existing steps."""
    return f"""
        INSERT INTO job_journeys
            (user_id, application_id, began, status, since, rung, source, reached, went_on, days,
             edges)
        SELECT user_id, application_id, min(at), (array_agg(status ORDER BY place DESC))[1],
               max(at), (array_agg(rung ORDER BY place DESC))[1],
               max(rung) FILTER (WHERE rung < {TOP}),
               coalesce(bit_or(1 << rung), 0),
               coalesce(bit_or(1 << rung) FILTER (WHERE highest_after > rung), 0),
               ARRAY[{", ".join(days_on(rung) for rung in range(1, TOP + 1))}],
               coalesce(string_agg(
                   set_byte('\\x00', 0, {len(STATUSES)} * rank_of(came_from) + rank_of(status)),
                   '' ORDER BY place
               ) FILTER (WHERE came_from <> status), '')
        FROM (
            SELECT user_id, application_id, status, rung_of(status) AS rung, at,
                   row_number() OVER of_job AS place,
                   lag(status) OVER of_job AS came_from,
                   lead(at) OVER of_job - at AS stayed,
                   max(rung_of(status)) OVER (
                       of_job ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
                   ) AS highest_after
            FROM job_steps {where}
            WINDOW of_job AS (PARTITION BY user_id, application_id ORDER BY at, id)
        ) AS steps
        GROUP BY user_id, application_id
    """  # noqa: S608 (all words are ours)


def upgrade() -> None:
    op.create_table(
        "job_journeys",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("application_id", sa.BigInteger, nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rung", sa.Integer),
        sa.Column("source", sa.Integer),
        sa.Column("reached", sa.Integer, nullable=False),
        sa.Column("went_on", sa.Integer, nullable=False),
        sa.Column("days", ARRAY(sa.Double), nullable=False),
        sa.Column("edges", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "application_id", name=op.f("pk_job_journeys")),
        sa.ForeignKeyConstraint(
            ["user_id", "application_id"],
            ["jobs.user_id", "jobs.id"],
            name=op.f("fk_job_journeys_user_id_application_id_jobs"),
            ondelete="CASCADE",
        ),
    )
    op.execute(f"""
        CREATE FUNCTION rung_of(status text) RETURNS integer
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN CASE status {" ".join(f"WHEN '{word}' THEN {at}" for word, at in RUNGS.items())} END
    """)
    op.execute(f"""
        CREATE FUNCTION rank_of(status text) RETURNS integer
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN array_position('{{{",".join(STATUSES)}}}'::text[], status) - 1
    """)
    # The lock on the job serializes concurrent changes of its steps, so that the last one reads all
    # of them. A job that is being deleted has no row to lock, and no steps.
    op.execute(f"""
        CREATE FUNCTION keep_journeys() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM FROM jobs WHERE (user_id, id) IN (SELECT user_id, application_id FROM changed)
            ORDER BY user_id, id FOR NO KEY UPDATE;
            {journeys(OF_CHANGED)}
            ON CONFLICT (user_id, application_id) DO UPDATE SET
                began = excluded.began, status = excluded.status, since = excluded.since,
                rung = excluded.rung, source = excluded.source, reached = excluded.reached,
                went_on = excluded.went_on, days = excluded.days, edges = excluded.edges;
            IF TG_OP <> 'INSERT' THEN
                DELETE FROM job_journeys {OF_CHANGED} AND NOT EXISTS (
                    SELECT FROM job_steps
                    WHERE job_steps.user_id = job_journeys.user_id
                        AND job_steps.application_id = job_journeys.application_id);
            END IF;
            RETURN NULL;
        END $$
    """)  # noqa: S608 (all words are ours)
    for trigger, when in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {trigger} {when} EXECUTE FUNCTION keep_journeys()")
    # After the triggers: their creation locks job_steps against writes until the commit.
    op.execute(journeys())


def downgrade() -> None:
    for trigger in TRIGGERS:
        op.execute(f"DROP TRIGGER {trigger} ON job_steps")
    for function in ("keep_journeys", "rank_of", "rung_of"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("job_journeys")
