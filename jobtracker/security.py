"""Who asks, and what they may do.

A request is somebody's when it bears an access token of our user pool. What they may do stands in
the ACLs of the resource tree; what no ACL allows is denied.
"""

from enum import StrEnum
from typing import Any

from pyramid.authorization import ACLHelper, Authenticated, Everyone
from pyramid.request import Request, RequestLocalCache

from jobtracker.users.models import User, UserRow


class Permission(StrEnum):
    """What an endpoint asks of its context's ACL."""

    PUBLIC = "public"
    READ = "read"
    WRITE = "write"


class CognitoSecurityPolicy:
    """Pyramid's security policy: ``request.authenticated_userid`` is the ``sub`` of the access
    token, and ``request.identity`` the :class:`UserRow` with that.

    The token is verified (RFC 6750, header alone) and the user's row read, once a request, and only
    when something asks: public endpoints never do, and not all that asks for one needs the other.
    """

    def __init__(self) -> None:
        self._acl = ACLHelper()
        self._subs = RequestLocalCache(self._verify)
        self._identities = RequestLocalCache(self._load)

    def identity(self, request: Request) -> UserRow | None:
        return self._identities.get_or_create(request)

    def authenticated_userid(self, request: Request) -> str | None:
        return self._subs.get_or_create(request)

    def permits(self, request: Request, context: Any, permission: str) -> Any:
        principals = [Everyone]
        if permission != Permission.PUBLIC:
            userid = self.authenticated_userid(request)
            if userid is not None:
                principals += [Authenticated, userid]
        return self._acl.permits(context, principals, permission)

    def remember(self, request: Request, userid: str, **kwargs: Any) -> list[tuple[str, str]]:
        """Nothing: the client keeps its tokens."""
        return []

    def forget(self, request: Request, **kwargs: Any) -> list[tuple[str, str]]:
        return []

    def act_as(self, request: Request, user: UserRow) -> None:
        """Make the request that user's, without a token: for pshell, or for one that changed."""
        self._subs.set(request, user.cognito_sub)
        self._identities.set(request, user)

    def _verify(self, request: Request) -> str | None:
        token = bearer_token(request)
        return None if token is None else request.access_tokens.verify(token)

    def _load(self, request: Request) -> UserRow | None:
        sub = self.authenticated_userid(request)
        if sub is None:
            return None
        user = UserRow.by_sub(request.connection, sub)
        if user is None:
            # Signed in elsewhere than here: Cognito knows who it is.
            profile = request.cognito.profile(bearer_token(request))
            User.sign_in(request.db, sub, email=profile.email, name=profile.name)
            user = UserRow.by_sub(request.connection, sub)
        return user


def bearer_token(request: Request) -> str | None:
    """The token of the Authorization header; the scheme is case-insensitive (RFC 9110, 11.1)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
