"""The security policy: authentication by Cognito's access tokens, authorization by the tree's ACLs.

What no ACL allows is denied.
"""

import logging
from typing import Any

from pyramid.authorization import ACLHelper, Authenticated, Everyone
from pyramid.request import Request
from pyramid.response import Response

from jobtracker.auth.cognito_errors import AccessTokenRejected
from jobtracker.auth.tokens import AccessToken
from jobtracker.errors import DATABASE_ERRORS, Unauthorized, error_response
from jobtracker.permissions import Permission
from jobtracker.users import queries as users
from jobtracker.users.queries import UserRow
from jobtracker.users.resources import next_second

log = logging.getLogger(__name__)


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
        token = request.verified_token
        return None if token is None else token.sub

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
    """``request.current_user``, which an update of the user and pshell's prompt replace.

    :raises Unauthorized: when the token is revoked
    """
    token = request.verified_token
    if token is None:
        return None
    user = users.find_authenticated(request.connection, token.key)
    if user is None:
        if users.is_revoked(request.connection, token.key):
            raise Unauthorized
        # The account signed in through another client of the user pool.
        profile = request.cognito.profile(request.bearer_token)
        users.upsert_user(request.connection, token.sub, email=profile.email, name=profile.name)
        user = users.find_authenticated(request.connection, token.key)
    return user


def verified_token(request: Request) -> AccessToken | None:
    """``request.verified_token``: what the access token says, if it is valid. The statement that
    finds the user finds out whether it is revoked."""
    token = request.bearer_token
    return None if token is None else request.access_tokens.verify(token)


def bearer_token(request: Request) -> str | None:
    """``request.bearer_token``: of the Authorization header (RFC 6750, 2.1); the scheme is
    case-insensitive (RFC 9110, 11.1)."""
    scheme, _, token = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def access_token_rejected(error: AccessTokenRejected, request: Request) -> Response:
    """Cognito ended a session or an account without our knowledge: revoke its access tokens."""
    token: AccessToken = request.verified_token
    connection = request.registry["db_autocommit"]()  # the request's own transaction is rolled back
    try:
        if error.account_ended or not token.origin_jti:
            users.revoke_tokens(connection, next_second(), sub=token.sub)
        else:
            users.revoke_session(connection, token.key)
    except DATABASE_ERRORS as failure:
        log.error("A session that Cognito ended is not revoked: %s", type(failure).__name__)
    finally:
        connection.close()
    return error_response(error)


def includeme(config: Any) -> None:
    config.add_request_method(bearer_token, property=True)
    config.add_request_method(verified_token, reify=True)
    config.add_request_method(current_user, reify=True)
    config.add_exception_view(access_token_rejected, context=AccessTokenRejected)
    config.set_security_policy(CognitoSecurityPolicy())
