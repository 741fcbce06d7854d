"""``root["users"]["me"]``: the authenticated user."""

import datetime
import functools
import hashlib
import logging
import time
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from typing import Any, cast

from pyramid.request import Request

from jobtracker.audit import recording
from jobtracker.audit.models import AuditKind
from jobtracker.db.base import translate_constraint_error
from jobtracker.db.connections import SupportsExecute, autocommit, release_reading, transaction_of
from jobtracker.errors import (
    DATABASE_ERRORS,
    ApiError,
    BadRequest,
    Unauthorized,
    Unavailable,
    ValidationFailed,
    VersionConflict,
)
from jobtracker.tasks import queries as tasks
from jobtracker.tree import OwnerOnly, Resource, Root
from jobtracker.users import deletion_queries, queries
from jobtracker.users.models import MAX_PREFERENCES, SETTINGS, User
from jobtracker.users.queries import UserRow

log = logging.getLogger(__name__)

#: The tasks of a deletion: :mod:`jobtracker.accounts.deletion`.
DELETE_ACCOUNT, DISABLE_ACCOUNT = "delete_account", "disable_account"


class UserCollection(OwnerOnly, under=Root, name="users"):
    """``/users``: its only child is ``me``."""


class UserResource(Resource, under=UserCollection, name="me"):
    """``/users/me``."""

    def __init__(self, parent: Resource, name: str) -> None:
        super().__init__(parent, name)
        _ = self.user  # 401 if the token is revoked, of which Cognito may not know

    @property
    def row(self) -> UserRow:
        return cast(UserRow, self.user)

    @property
    def origin_jti(self) -> str:
        """The session of the request; empty for none."""
        return cast(str, self.request.verified_token.origin_jti)

    def record(self, connection: SupportsExecute, kind: AuditKind) -> None:
        """Record an audit entry, in the connection's transaction."""
        recording.record(self.request, connection, kind, self.row.id, self.origin_jti)

    def record_failures(self, kind: AuditKind) -> AbstractContextManager[None]:
        """Record an audit entry of a wrong password or code in the block."""
        return recording.record_failures(self.request, kind, self.row.id, self.origin_jti)

    def set_current_user(self, user: UserRow) -> UserRow:
        """Replace request.current_user."""
        self.request.current_user = user
        return user

    def change_password(self, current_password: str, new_password: str) -> None:
        """Change the password at Cognito, and revoke all tokens; BadRequest for the same one."""
        if new_password == current_password:
            message = "The new password is the current one. Please choose another one."
            raise BadRequest(message, details={"code": "SAME_PASSWORD"})
        cognito, token = self.request.cognito, self.request.bearer_token
        failure: ApiError | None = None
        with (
            self.record_failures(AuditKind.PASSWORD_CHANGE_FAILED),
            transaction_of(self.request) as connection,
        ):
            self.record(connection, AuditKind.PASSWORD_CHANGED)
            cognito.change_password(token, current_password, new_password)
            try:
                cognito.sign_out_everywhere(token)
            except ApiError as error:
                failure = error
            revoke_tokens(self.request, connection, self.row.id)
        if failure is not None:
            # Any other error would read as if the password had not been changed.
            message = "Your password was changed, but your other devices may still be signed in."
            raise Unavailable(message) from failure

    def sign_out_everywhere(self) -> None:
        """Revoke all refresh tokens at Cognito, and all access tokens.

        Without an access token, as at pshell's prompt, the refresh tokens are not revoked at
        Cognito: their new access tokens are refused, since they tell when the user signed in.
        """
        token = self.request.bearer_token
        with transaction_of(self.request) as connection:
            self.record(connection, AuditKind.SIGN_OUT_EVERYWHERE)
            if token is not None:
                self.request.cognito.sign_out_everywhere(token)
            revoke_tokens(self.request, connection, self.row.id)

    def delete(self, password: str = "", code: str | None = None) -> datetime.datetime:
        """Request the deletion of the account and of all that belongs to it, and revoke all tokens,
        those to come too.

        Without an access token, as at pshell's prompt, no password is checked.

        :returns: when the deletion begins
        :raises BadRequest, Forbidden: as :meth:`UserPool.reauthenticate`
        :raises Unauthorized: when it was requested concurrently
        """
        request, token = self.request, self.request.bearer_token
        if token is not None:
            release_reading(request)
            with self.record_failures(AuditKind.ACCOUNT_DELETION_FAILED):
                request.cognito.reauthenticate(token, password, code)
        grace = datetime.timedelta(days=request.registry.settings["accounts.grace_days"])
        user = deletion_queries.request(self.connection, self.row.id)
        if user is None or user.deletion_requested_at is None:
            raise Unauthorized
        self.record(self.connection, AuditKind.ACCOUNT_DELETION_REQUESTED)
        enqueue = functools.partial(tasks.enqueue, self.connection, user.id, is_limited=False)
        enqueue(DELETE_ACCOUNT, delay=grace.total_seconds())
        if grace:
            enqueue(DISABLE_ACCOUNT)
        if token is not None:
            hook = _end_account_after_commit
            request.tm.get().addAfterCommitHook(hook, (request, user.id, bool(grace)))
        return user.deletion_requested_at + grace


class SettingsResource(Resource, under=UserResource, name="settings"):
    """``/users/me/settings``: the user's settings of the SPA."""

    __parent__: UserResource

    @property
    def version(self) -> str:
        """A digest of the settings, for If-Match."""
        return _version(self.__parent__.row)

    def update(self, versions: Collection[str] | None = None, **settings: Any) -> UserRow:
        """Set some settings; VersionConflict unless they have one of the versions, if given."""
        user = self.__parent__.row
        if versions is not None:
            user = queries.USERS.lock(self.connection, {}, user.id)
            if _version(user) not in versions:
                raise VersionConflict(user)
        if settings:
            user = queries.USERS.update(self.connection, {}, user.id, settings)
        return self.__parent__.set_current_user(user)


class UiPreferencesResource(Resource, under=UserResource, name="ui-preferences"):
    """``/users/me/ui-preferences``: boolean options of the SPA."""

    __parent__: UserResource

    def update(self, preferences: Mapping[str, bool | None]) -> UserRow:
        """Set some preferences, and remove those that are None; ValidationFailed if too many."""
        user = self.__parent__.row
        if not preferences:
            return user
        message = f"Can have at most {MAX_PREFERENCES} entries in all."
        too_many = ValidationFailed.for_field("body", "preferences", message, "too_long")
        with translate_constraint_error(User.PREFERENCES_COUNT, too_many):
            user = queries.merge_ui_preferences(self.connection, user.id, preferences)
        return self.__parent__.set_current_user(user)


def revoke_tokens(request: Request, connection: SupportsExecute, user_id: int | None) -> None:
    """Revoke all access tokens that there are of a user."""
    queries.revoke_tokens(connection, _after_issued_tokens(request), user_id)


def revoke_tokens_of_account(request: Request, *, sub: str | None, email: str) -> int | None:
    """Revoke all access tokens that there are of the user with that Cognito ``sub``; without one,
    or if it has no identity, of the users with the ``sub`` or the address.

    :returns: the id of the user, of the one who has the address where there are several
    """
    user_id = None if sub is None else queries.identify(request.connection, sub)
    if user_id is not None:
        revoke_tokens(request, request.connection, user_id)
        return user_id
    moment = _after_issued_tokens(request)
    queries.revoke_tokens_of_account(request.connection, moment, sub=sub, email=email)
    return queries.find_by_email(request.connection, email)


def _end_account_after_commit(
    committed: bool, request: Request, user_id: int, has_grace: bool
) -> None:
    """Delete the account at Cognito, or end its sessions there. If that fails, a task does."""
    if not committed:
        return
    token = request.bearer_token
    request.access_tokens.reject(token)
    try:
        if has_grace:
            request.cognito.sign_out_everywhere(token)
            return
        request.cognito.delete_user(token)
        with autocommit(request.registry) as connection:
            deletion_queries.set_cognito_deleted(connection, user_id)
    except (ApiError, *DATABASE_ERRORS) as error:
        reason = "The account of user %s is left to a task: %s"
        log.info(reason, user_id, type(error).__name__)


def _after_issued_tokens(request: Request) -> datetime.datetime:
    """Wait for the next second and return it: the times in tokens are whole seconds. Every token
    issued before this call has an earlier time, and every token issued after it has not."""
    earliest, latest = cognito_time(request)
    moment = next_second(latest)
    time.sleep(max(0, moment.timestamp() - earliest))
    return moment


def cognito_time(request: Request) -> tuple[float, float]:
    """The bounds of the Unix time by the clock of the times in tokens: not before the latest
    sign-in, if this machine's clock is behind."""
    clock, sign_in = request.cognito.clock, request.access_tokens.cache.latest_sign_in
    return max(clock.earliest(), sign_in), max(clock.latest(), sign_in)


def next_second(now: float) -> datetime.datetime:
    """The end of the second of a Unix time."""
    return datetime.datetime.fromtimestamp(int(now) + 1, datetime.UTC)


def _version(user: UserRow) -> str:
    settings = "\n".join(str(getattr(user, name)) for name in SETTINGS)
    return hashlib.sha256(settings.encode()).hexdigest()[:16]
