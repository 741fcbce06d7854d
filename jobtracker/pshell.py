"""The prompt of ``pshell development.ini`` or production.ini."""

import datetime
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from sqlalchemy import or_, select

from jobtracker.auth.tokens import AccessToken
from jobtracker.db.base import Base
from jobtracker.db.connections import TransactionConnection
from jobtracker.users.models import User
from jobtracker.users.queries import COLUMNS, UserRow


def setup(env: dict[str, Any]) -> Iterator[None]:
    """Begin a transaction, which ``commit()`` commits and leaving the prompt rolls back."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # `make shell` begins without it
    request = env["request"]
    # Not the request's own session: this one continues after a commit. The transaction manager
    # runs the after-commit hooks.
    db = request.registry["db_sessions"]()
    request.set_property(lambda _request: TransactionConnection(db), "connection")

    def act_as(user: str | int) -> UserRow:
        """Become a user, by e-mail address, Cognito sub or id, whose data ``root`` then has."""
        matches = User.id == user
        if isinstance(user, str):
            matches = or_(User.email == user.strip().lower(), User.cognito_sub == user)
        row = UserRow(*db.execute(select(*COLUMNS).where(matches)).one())
        # A token that no revocation concerns.
        never = datetime.datetime.max.replace(tzinfo=datetime.UTC)
        request.verified_token = AccessToken(row.cognito_sub, never, origin_jti="")
        request.current_user = row
        return row

    def commit() -> None:
        """Commit the transaction and begin another."""
        db.commit()
        request.tm.commit()
        request.tm.begin()

    def rollback() -> None:
        """Roll back the transaction and begin another."""
        db.rollback()
        request.tm.abort()
        request.tm.begin()

    request.tm.begin()
    classes = [mapper.class_ for mapper in Base.registry.mappers]
    models = SimpleNamespace(**{each.__name__: each for each in classes})
    env.update(db=db, models=models, act_as=act_as, commit=commit, rollback=rollback)
    yield
    request.tm.abort()
    db.close()
