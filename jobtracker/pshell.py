"""What ``pshell development.ini`` (or production.ini) puts at the prompt."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from pyramid.interfaces import ISecurityPolicy
from sqlalchemy import or_, select

from jobtracker.activity.models import Activity
from jobtracker.db.connections import Writing
from jobtracker.documents.models import Document, ObjectDeletion
from jobtracker.history.models import JobStep
from jobtracker.interviews.models import Interview
from jobtracker.jobs.models import Job
from jobtracker.notes.models import Note
from jobtracker.saved_views.models import SavedView
from jobtracker.users.models import User, UserRow

MODELS = SimpleNamespace(
    Activity=Activity,
    Document=Document,
    Interview=Interview,
    Job=Job,
    JobStep=JobStep,
    Note=Note,
    ObjectDeletion=ObjectDeletion,
    SavedView=SavedView,
    User=User,
)


def setup(env: dict[str, Any]) -> Iterator[None]:
    """Begin a transaction, which ``commit()`` commits and leaving the prompt rolls back."""
    request = env["request"]
    # A session of its own, which goes on after a commit: what was found before can be used on.
    # The transaction manager goes along for its hooks.
    db = request.db = request.registry["db_sessions"]()
    request.set_property(lambda _request: Writing(db), "connection")

    def act_as(who: str | int) -> UserRow:
        """Be a user, by e-mail address, Cognito sub or id: root["jobs"] is then theirs."""
        matches = User.id == who if isinstance(who, int) else _named(who)
        user = UserRow._make(db.execute(select(User.__table__).where(matches)).one())
        request.registry.getUtility(ISecurityPolicy).act_as(request, user)
        return user

    def commit() -> None:
        """Commit what was done, and go on."""
        db.commit()
        request.tm.commit()
        request.tm.begin()

    def rollback() -> None:
        """Undo what was done since the last commit, and go on."""
        db.rollback()
        request.tm.abort()
        request.tm.begin()

    request.tm.begin()
    env.update(db=db, models=MODELS, act_as=act_as, commit=commit, rollback=rollback)
    yield
    request.tm.abort()
    db.close()


def _named(who: str) -> Any:
    return or_(User.email == who.strip().lower(), User.cognito_sub == who)
