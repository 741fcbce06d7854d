"""The security policy: authentication by Cognito's access tokens, authorization by the tree's ACLs.

What no ACL allows is denied.
"""

from typing import Any

from pyramid.authorization import ACLHelper, Authenticated, Everyone
from pyramid.request import Request

from jobtracker.permissions import Permission
from jobtracker.users import queries as users
from jobtracker.users.queries import UserRow


class CognitoSecurityPolicy:
    """Pyramid's security policy: ``request.authenticated_userid`` is the ``sub`` of the access
    token, and ``request.identity`` the :class:`UserRow` of it.

    Both are lazy: a public endpoint verifies no token, and not every endpoint reads the user.
    """

    def __init__(self) -> None:
        self._acl = ACLHelper()

    def identity(self, request: Request) -> UserRow | None:
        return request.current_user

    def authenticated_userid(self, request: Request) -> str | None:
        return request.verified_sub

    def permits(self, request: Request, context: Any, permission: str) -> Any:
        principals = [Everyone]
        if permission != Permission.PUBLIC:
            userid = self.authenticated_userid(request)
            if userid is not None:
                principals += [Authenticated, userid]
        return self._acl.permits(context, principals, permission)

    def remember(self, request: Request, userid: str, **kwargs: Any) -> list[tuple[str, str]]:
        """No headers: the client keeps its tokens."""
        return []

    def forget(self, request: Request, **kwargs: Any) -> list[tuple[str, str]]:
        return []


def current_user(request: Request) -> UserRow | None:
    """``request.current_user``, which an update of the user and pshell's prompt replace."""
    sub = request.verified_sub
    if sub is None:
        return None
    user = users.find_by_sub(request.connection, sub)
    if user is None:  # the account signed in through another client of the user pool
        profile = request.cognito.cached_user(request.bearer_token).profile
        users.upsert_user(request.connection, sub, email=profile.email, name=profile.name)
        user = users.find_by_sub(request.connection, sub)
    return user


def verified_sub(request: Request) -> str | None:
    """``request.verified_sub``: of the access token, if it is valid."""
    token = request.bearer_token
    return None if token is None else request.access_tokens.verify(token)


def bearer_token(request: Request) -> str | None:
    """``request.bearer_token``: of the Authorization header (RFC 6750, 2.1); the scheme is
    case-insensitive (RFC 9110, 11.1)."""
    scheme, _, token = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def includeme(config: Any) -> None:
    config.add_request_method(bearer_token, property=True)
    config.add_request_method(verified_sub, reify=True)
    config.add_request_method(current_user, reify=True)
    config.set_security_policy(CognitoSecurityPolicy())
