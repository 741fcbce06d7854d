"""The security policy: authentication by Cognito's access tokens, authorization by the tree's ACLs.

What no ACL allows is denied.
"""

import functools
from collections.abc import Hashable, Mapping
from types import SimpleNamespace
from typing import Any

import jwt
from pyramid.authorization import ACLHelper, Authenticated, Everyone
from pyramid.request import Request

from jobtracker.http.rate_limits import client_network
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
    """``request.verified_sub``: of the access token, if it is valid; RateLimited beyond the rate of
    all requests of a user."""
    token = request.bearer_token
    sub = None if token is None else request.access_tokens.verify(token)
    if sub is not None:
        request.registry["requests_by_user"].count(sub)
    return sub


def bearer_token(request: Request) -> str | None:
    """``request.bearer_token``: of the Authorization header (RFC 6750, 2.1); the scheme is
    case-insensitive (RFC 9110, 11.1)."""
    scheme, token = _authorization(request.environ)
    return token or None if scheme == "bearer" else None


def user_of(registry: Any, environ: dict[str, str]) -> Hashable:
    """By what a server queues a request: the ``sub`` of its token if that was verified before, or
    else the client's network, and what the token says.

    Without the network, somebody else's token that is not valid could take the user's place.
    """
    _, token = _authorization(environ)
    if (sub := registry["access_tokens"].cached_sub(token)) is not None:
        return sub
    network = client_network(SimpleNamespace(environ=environ, registry=registry))
    return network, _unverified_sub(token)


def _unverified_sub(token: str) -> str | None:
    try:
        return str(jwt.decode(token, options={"verify_signature": False}).get("sub"))
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None


def _authorization(environ: Mapping[str, str]) -> tuple[str, str]:
    """The scheme, in lower case, and the credentials of the Authorization header."""
    scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return scheme.lower(), credentials.strip()


def includeme(config: Any) -> None:
    config.registry["user_of"] = functools.partial(user_of, config.registry)
    config.add_request_method(bearer_token, property=True)
    config.add_request_method(verified_sub, reify=True)
    config.add_request_method(current_user, reify=True)
    config.set_security_policy(CognitoSecurityPolicy())
