"""The prompt of ``pshell development.ini`` or production.ini."""

import datetime
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from psycopg.errors import InFailedSqlTransaction
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, event, or_, select

from jobtracker.auth.tokens import AccessToken
from jobtracker.db.base import Base
from jobtracker.db.connections import FIRST_STATEMENT, Cursor, Params, TransactionConnection
from jobtracker.db.engine import disable_timeouts_of_transaction
from jobtracker.users.models import User
from jobtracker.users.queries import COLUMNS, UserRow


class TransactionFailed(Exception):
    """After a statement that failed, PostgreSQL refuses all others of the transaction."""

    def __init__(self) -> None:
        super().__init__(
            "A statement of this transaction failed, so nothing of it can be committed: "
            "rollback() begins another."
        )


class PromptConnection(TransactionConnection):
    """The connection of the prompt's transaction."""

    def execute(self, query: Any, params: Params = None, *, binary: bool = False) -> Cursor:
        """:raises TransactionFailed: after a statement that failed"""
        try:
            return super().execute(query, params, binary=binary)
        except InFailedSqlTransaction:
            raise TransactionFailed from None


def setup(env: dict[str, Any]) -> Iterator[None]:
    """Begin a transaction, which ``commit()`` commits and leaving the prompt rolls back.

    It has none of the server's time-outs: who types takes longer.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # `make shell` begins without it
    request = env["request"]
    # Not the request's own session: this one continues after a commit. The transaction manager
    # runs the after-commit hooks.
    db = request.registry["db_sessions"]()
    db.__doc__ = "A SQLAlchemy session, in the transaction of `root`."
    request.set_property(lambda _request: PromptConnection(db), "connection")

    @event.listens_for(db, "after_begin")
    def set_settings(_session: Any, _transaction: Any, connection: Connection) -> None:
        disable_timeouts_of_transaction(connection)
        if first := db.info.get(FIRST_STATEMENT):
            connection.exec_driver_sql(first)

    def act_as(user: str | int) -> UserRow:
        """Select the user, by e-mail address, Cognito sub or id, whose data `root` then has."""
        matches = User.id == user
        if isinstance(user, str):
            matches = or_(User.email == user.strip().lower(), User.cognito_sub == user.strip())
        found = db.execute(select(*COLUMNS).where(matches).order_by(User.id))
        rows = [UserRow(*row) for row in found]
        if not rows:
            reason = "The database has those who have signed in at least once."
            raise LookupError(f"There is no user {user!r}. {reason}")
        if len(rows) > 1:  # accounts that were deleted and made anew
            ids = ", ".join(str(row.id) for row in rows)
            raise LookupError(f"Several users have the address {user!r}: act as one of {ids}")
        (row,) = rows
        # A token that no revocation concerns.
        never = datetime.datetime.max.replace(tzinfo=datetime.UTC)
        request.verified_token = AccessToken(row.cognito_sub, never, "", row.id)
        request.current_user = row
        return row

    def commit() -> None:
        """Commit the transaction, and begin another."""
        driver = db.connection().connection.dbapi_connection
        if driver.info.transaction_status is TransactionStatus.INERROR:
            raise TransactionFailed  # PostgreSQL would roll back without an error
        try:
            db.commit()
        except BaseException:
            rollback()
            raise
        request.tm.commit()
        request.tm.begin()

    def rollback() -> None:
        """Discard the changes since the last commit, and begin another transaction."""
        db.rollback()
        request.tm.abort()
        request.tm.begin()

    request.tm.begin()
    classes = [mapper.class_ for mapper in Base.registry.mappers]
    models = SimpleNamespace(**{each.__name__: each for each in classes})
    models.__doc__ = "The mapped classes, for `db`: models.Job, for example."
    env.update(db=db, models=models, act_as=act_as, commit=commit, rollback=rollback)
    yield
    request.tm.abort()
    db.close()
