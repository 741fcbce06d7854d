"""The funnel, of the steps of all jobs, in one statement."""

import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from jobtracker.db import in_words
from jobtracker.jobs.models import KINDS, OVER, Kind

#: The rungs of the ladder, in their order. What is closed has left it.
LADDER = tuple(kind for kind in Kind if kind is not Kind.CLOSED)

_RUNG = "CASE status {} END".format(
    " ".join(
        f"WHEN '{status}' THEN {LADDER.index(kind)}"
        for status, kind in KINDS.items()
        if kind in LADDER
    )
)

# Every step knows its place among those of its job. A stay is all that a job ever was on a rung. On
# the last rung nobody waits any more: a job that is accepted spends no time there.
FUNNEL = text(f"""
    WITH steps AS (
        SELECT application_id, status, {_RUNG} AS rung, at,
               row_number() OVER of_job AS place,
               first_value(at) OVER of_job AS began,
               lag(status) OVER of_job AS came_from,
               lead(at) OVER of_job AS ended
        FROM job_steps WHERE user_id = :user_id
        WINDOW of_job AS (PARTITION BY application_id ORDER BY at, id)
    ),
    cohort AS MATERIALIZED (
        SELECT * FROM steps
        WHERE began >= coalesce(CAST(:since AS timestamptz), '-infinity')
          AND began < coalesce(CAST(:until AS timestamptz), 'infinity')
    ),
    stays AS (
        SELECT application_id, rung, min(place) AS first, max(place) AS last,
               extract(epoch FROM sum(CASE
                   WHEN ended IS NOT NULL THEN ended - at
                   WHEN rung < :top THEN greatest(statement_timestamp() - at, interval '0')
               END)) / 86400 AS days
        FROM cohort WHERE rung IS NOT NULL GROUP BY application_id, rung
    ),
    climbs AS (
        SELECT rung, days, first < max(last) OVER (
            PARTITION BY application_id ORDER BY rung
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS went_on
        FROM stays
    ),
    stages AS (
        SELECT rung, count(*) AS reached, count(*) FILTER (WHERE went_on) AS went_on,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY days) AS median_days
        FROM climbs GROUP BY rung
    ),
    ends AS (
        SELECT max(rung) FILTER (WHERE rung < :top) AS source,
               max(status) FILTER (WHERE ended IS NULL) AS outcome
        FROM cohort GROUP BY application_id
    ),
    outcomes AS (
        SELECT source, outcome, count(*) FROM ends
        WHERE outcome IN ({in_words(OVER)}) GROUP BY source, outcome
        ORDER BY source NULLS FIRST, outcome
    ),
    edges AS (
        SELECT came_from AS "from", status AS "to", count(*) FROM cohort
        WHERE came_from <> status GROUP BY came_from, status ORDER BY came_from, status
    )
    SELECT (SELECT count(*) FROM cohort WHERE place = 1) AS total,
           (SELECT coalesce(json_agg(stages), '[]') FROM stages) AS stages,
           (SELECT coalesce(json_agg(outcomes), '[]') FROM outcomes) AS outcomes,
           (SELECT coalesce(json_agg(edges), '[]') FROM edges) AS edges
""")  # noqa: S608 (all words are ours)


def funnel_of_user(
    db: Session,
    user_id: int,
    *,
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
) -> dict[str, Any]:
    """What became of the user's jobs, those whose first step lies in [since, until).

    - ``stages``, one for each rung of the ladder (lead, applied, screening, interview, offer,
      accepted). ``reached``: jobs that ever had a step of that very kind; a stage that was skipped
      was not reached. ``conversion``: of those, the part that came to any later rung after they
      first came to this one, 0 to 1; None where nobody was, and on the last rung. ``median_days``:
      the median, over the jobs that were there, of all the time that each spent there; a stage that
      a job is at counts up to now, except the last.
    - ``outcomes``: of the jobs that are now closed or accepted, how many by their status and by
      the furthest rung (lead to offer) that they ever were on; None where there was none.
    - ``edges``: how often a status followed another; itself is none.
    - ``total``: the jobs.
    """
    given = {"user_id": user_id, "since": since, "until": until, "top": len(LADDER) - 1}
    found = db.execute(FUNNEL, given).one()
    outcomes = [
        {**row, "source": None if row["source"] is None else LADDER[row["source"]]}
        for row in found.outcomes
    ]
    return {
        "stages": _stages(found),
        "outcomes": outcomes,
        "edges": found.edges,
        "total": found.total,
    }


def _stages(found: Row[Any]) -> list[dict[str, Any]]:
    by_rung = {row["rung"]: row for row in found.stages}
    stages = []
    for rung, kind in enumerate(LADDER):
        row = by_rung.get(rung, {"reached": 0, "went_on": 0, "median_days": None})
        reached, days = row["reached"], row["median_days"]
        goes_on = reached and kind is not LADDER[-1]
        stages.append(
            {
                "stage": kind,
                "reached": reached,
                "conversion": round(row["went_on"] / reached, 4) if goes_on else None,
                "median_days": None if days is None else round(days, 4),
            }
        )
    return stages
