"""Limits of attempts for an account: failed ones to sign in or to enter a code, and e-mails.

They are counted by operation, account and network, and in total by operation and account. The total
does not apply to a network from which the owner has signed in lately: failures elsewhere do not
lock the owner out. docs/decisions/rate-limits.md
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

from pyramid.request import Request

from jobtracker.audit import recording as audit
from jobtracker.audit.models import AuditKind
from jobtracker.auth import queries
from jobtracker.auth.cognito_errors import AttemptsExceeded
from jobtracker.auth.sign_in import SignIn
from jobtracker.db.connections import autocommit
from jobtracker.errors import DATABASE_ERRORS, ApiError, RateLimited
from jobtracker.http.rate_limits import client_network, count_hit, refund_hit
from jobtracker.logs.outages import log_outage
from jobtracker.users import queries as users

log = logging.getLogger(__name__)

BY_NETWORK = "rate_limits.auth_by_account"
TOTAL = "rate_limits.auth_total_by_account"
MAILS = "rate_limits.mails_by_account"

# What Cognito answers to wrong passwords and codes, and to accounts in another state.
FAILURES = (400, 401, 403)

# The audit entries of failures, by operation. A confirmation is before the first sign-in, when an
# account has no user to be shown an entry.
FAILURE_KINDS = {
    "login": AuditKind.SIGN_IN_FAILED,
    "challenge": AuditKind.SIGN_IN_FAILED,
    "mfa/verify": AuditKind.SIGN_IN_FAILED,
    "reset-password": AuditKind.PASSWORD_RESET_FAILED,
}

View = Callable[[Request], Any]


def limit_failures(operation: str) -> Callable[[View], View]:
    """A view whose failures are limited by the ``email`` of the body, and recorded in the audit.

    An attempt is counted before it is made, so that concurrent ones cannot exceed the limit, and
    not counted any more once it has not failed.

    :raises RateLimited: beyond a limit, without an attempt
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def limited(request: Request) -> Any:
            counted = _count(request, operation)
            try:
                result = view(request)
            except ApiError as error:
                if _is_failure(error):
                    _record_failure(request, operation, error)
                else:
                    _refund(request, counted)
                raise
            if isinstance(result, SignIn) and _is_same_challenge(request, result):
                _record_failure(request, operation)
                return result
            _refund(request, counted)
            if not isinstance(result, SignIn) or result.tokens:
                _record_network(request)
            return result

        return limited

    return decorate


def may_send_mail(request: Request, operation: str) -> bool:
    """Count an e-mail to the account, and return whether it may be sent."""
    email = request.validated["email"]
    try:
        count_hit(request, MAILS, f"{operation} {email}")
    except RateLimited:
        return is_known_network(request)
    return True


def _count(request: Request, operation: str) -> list[tuple[str, str]]:
    """Count an attempt, and return the settings and keys by which it was counted."""
    email = request.validated["email"]
    by_network = BY_NETWORK, f"{operation} {email} {client_network(request)}"
    total = TOTAL, f"{operation} {email}"
    count_hit(request, *by_network)
    try:
        count_hit(request, *total)
    except RateLimited:
        if not is_known_network(request):
            _refund(request, [by_network])
            raise
        return [by_network]
    return [by_network, total]


def _refund(request: Request, counted: list[tuple[str, str]]) -> None:
    for setting, key in counted:
        refund_hit(request, setting, key)


def _is_failure(error: ApiError) -> bool:
    # A password is too weak only where the code or the current password was correct.
    is_weak = (error.details or {}).get("code") == "WEAK_PASSWORD"
    return isinstance(error, AttemptsExceeded) or (error.status in FAILURES and not is_weak)


def _is_same_challenge(request: Request, sign_in: SignIn) -> bool:
    """Whether the answer to a challenge was wrong: Cognito repeats a CUSTOM_CHALLENGE then."""
    name = sign_in.challenge_name
    return name is not None and name == request.validated.get("challenge_name")


def _record_failure(request: Request, operation: str, error: ApiError | None = None) -> None:
    kind = FAILURE_KINDS.get(operation)
    code = (error.details or {}).get("code") if error else None
    if operation == "challenge" and code in audit.WRONG:
        # Only here: Cognito compares a code if the session is one of the account, which begins with
        # the password. In mfa/verify the session can be another account's.
        kind = AuditKind.MFA_FAILED
    if kind is not None:
        email = request.validated["email"]
        audit.record_failure(request, kind, lambda each: users.find_by_email(each, email))


def is_known_network(request: Request) -> bool:
    """Whether the owner of the account has lately signed in, or entered a code, from there."""
    email, network = request.validated["email"], client_network(request)
    with autocommit(request.registry) as connection:
        return queries.is_sign_in_network(connection, email, network)


def _record_network(request: Request) -> None:
    # The attempt has succeeded, and cannot be repeated: an error of the database changes nothing.
    email, network = request.validated["email"], client_network(request)
    try:
        with autocommit(request.registry) as connection:
            queries.record_sign_in_network(connection, email, network)
    except DATABASE_ERRORS as error:
        reason = "The network of a sign-in is not recorded: %s"
        log_outage(log, "database", reason, type(error).__name__)
