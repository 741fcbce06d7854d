"""The security policy: authentication by Cognito's access tokens, authorization by the tree's ACLs.

What no ACL allows is denied.
"""

import functools
import logging
from collections.abc import Hashable, Mapping
from typing import Any

import jwt
from pyramid.authorization import ACLHelper, Authenticated, Everyone
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

from jobtracker.audit import recording as audit
from jobtracker.auth.cognito_errors import AccessTokenRejected
from jobtracker.auth.tokens import MAX_TOKEN_LENGTH, AccessToken
from jobtracker.db.connections import autocommit, release_reading, transaction_of
from jobtracker.db.replicas import ReplicaConnection
from jobtracker.errors import DATABASE_ERRORS, Unauthorized, error_response
from jobtracker.http.rate_limits import network_of
from jobtracker.logs.outages import log_outage
from jobtracker.permissions import Permission
from jobtracker.users import deletion_queries
from jobtracker.users import queries as users
from jobtracker.users.queries import UserRow
from jobtracker.users.resources import cognito_time, next_second

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
    user = _find_user(request, token)
    if user is None and token.user_id is not None:
        # It was the user's id before a restore of the database, or before the user was deleted.
        user = _find_user(request, token._replace(user_id=None))
    if user is None:
        if deletion_queries.is_deleted(request.connection, token.sub):
            request.access_tokens.reject(request.bearer_token)
            raise Unauthorized
        # The account signed in through another client of the user pool.
        release_reading(request)  # not held during the call of Cognito
        profile = request.cognito.cached_user(request.bearer_token).profile
        with transaction_of(request) as connection:
            user_id = users.upsert_user(
                connection, token.sub, email=profile.email, name=profile.name
            )
            audit.move_to_user(request, connection, profile.email, user_id)
        user = _find_user(request, token._replace(user_id=None))
    if user is not None and user.id != token.user_id:
        request.verified_token = token._replace(user_id=user.id)
        request.access_tokens.set_user_id(request.bearer_token, user.id)
    if user is not None and isinstance(request.connection, ReplicaConnection):
        request.connection.check = users.version_check(user)
    return user


def _find_user(request: Request, token: AccessToken) -> UserRow | None:
    """:raises Unauthorized: when the token is revoked"""
    user = users.find_authenticated(request.connection, token.key)
    if user is None and users.is_revoked(request.connection, token.key):
        request.access_tokens.reject(request.bearer_token)
        raise Unauthorized
    return user


def verified_token(request: Request) -> AccessToken | None:
    """``request.verified_token``: the claims of the access token, if it is valid.

    Revocations are conditions of the statements that find the user.

    :raises RateLimited: beyond the rate of all requests of a user
    """
    token = request.bearer_token
    verified = None if token is None else request.access_tokens.verify(token)
    if verified is not None:
        request.registry["memory_rate_limiter"].count(verified.sub)
    return verified


def bearer_token(request: Request) -> str | None:
    """``request.bearer_token``: of the Authorization header (RFC 6750, 2.1); the scheme is
    case-insensitive (RFC 9110, 11.1)."""
    scheme, token = _authorization(request.environ)
    return token or None if scheme == "bearer" else None


def user_of(registry: Any, environ: dict[str, str]) -> Hashable:
    """By what a server queues a request: the ``sub`` of its token if that was verified before, or
    else the client's network, and what the token says.

    Without the network, an invalid token of another client could take the user's place. What
    needs no token is queued by the network alone: with many tokens that are not valid, one client
    could occupy all threads.
    """
    _, token = _authorization(environ)
    if (sub := registry["access_tokens"].cached_sub(token)) is not None:
        return sub
    network = network_of(environ, registry)
    operation = registry["find_operation"](environ["REQUEST_METHOD"], environ["PATH_INFO"])
    if operation is None or operation.permission is Permission.PUBLIC:
        return network, None
    return network, _unverified_sub(token)


def _unverified_sub(token: str) -> str | None:
    try:
        return str(jwt.decode(token, options={"verify_signature": False}).get("sub"))
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None


def _authorization(environ: Mapping[str, str]) -> tuple[str, str]:
    """The scheme, in lower case, and the credentials of the Authorization header; blank ones where
    they are too long for an access token."""
    scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if len(credentials) > MAX_TOKEN_LENGTH:
        return scheme.lower(), ""
    return scheme.lower(), credentials.strip()


def check_authorization(registry: Registry, environ: Mapping[str, str]) -> None:
    """Check the Authorization header before the request's body is received.

    :raises Unauthorized: without a valid access token; whether it is revoked is not looked up
    :raises Unavailable: when it cannot be verified
    """
    scheme, token = _authorization(environ)
    if scheme != "bearer" or not token or registry["access_tokens"].verify(token) is None:
        raise Unauthorized


def access_token_rejected(error: AccessTokenRejected, request: Request) -> Response:
    """Cognito ended a session or an account without our knowledge: revoke its access tokens."""
    token: AccessToken = request.verified_token
    try:
        with autocommit(request.registry) as connection:
            user_id = users.identify(connection, token.sub)
            if error.account_ended or not token.origin_jti:
                _earliest, latest = cognito_time(request)
                users.revoke_tokens(connection, next_second(latest), user_id)
            else:
                users.revoke_session(connection, user_id, token.origin_jti)
    except DATABASE_ERRORS as failure:
        reason = "A session that Cognito ended is not revoked: %s"
        log_outage(log, "database", reason, type(failure).__name__)
    return error_response(error)


def includeme(config: Any) -> None:
    config.registry["user_of"] = functools.partial(user_of, config.registry)
    config.registry["check_authorization"] = functools.partial(check_authorization, config.registry)
    config.add_request_method(bearer_token, property=True)
    config.add_request_method(verified_token, reify=True)
    config.add_request_method(current_user, reify=True)
    config.add_exception_view(access_token_rejected, context=AccessTokenRejected)
    config.set_security_policy(CognitoSecurityPolicy())
