"""Tasks: work that takes longer than a request.

A new table alone, which the code of before does not know.
"""

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

# Without a foreign key to users: the task that deletes an account outlives the user.
TASKS = """
CREATE TABLE tasks (
    user_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    args jsonb NOT NULL,
    state text NOT NULL DEFAULT 'queued',
    run_after timestamptz NOT NULL DEFAULT statement_timestamp(),
    attempts bigint NOT NULL DEFAULT 0,
    failures bigint NOT NULL DEFAULT 0,
    run_again boolean NOT NULL DEFAULT false,
    done bigint NOT NULL DEFAULT 0,
    total bigint,
    result jsonb,
    error text,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    finished_at timestamptz,
    CONSTRAINT pk_tasks PRIMARY KEY (user_id, id),
    CONSTRAINT ck_tasks_state CHECK (state IN ('queued', 'running', 'done', 'failed')),
    CONSTRAINT ck_tasks_finished_at
        CHECK ((finished_at IS NOT NULL) = (state IN ('done', 'failed')))
);
CREATE INDEX ix_tasks_unfinished ON tasks (run_after) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX uq_tasks_unfinished ON tasks (user_id, kind, args) WHERE finished_at IS NULL;
CREATE INDEX ix_tasks_finished_at ON tasks (finished_at) WHERE finished_at IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(TASKS)


def downgrade() -> None:
    op.drop_table("tasks")
