"""``/auth/cognito/*``: the endpoints that need no access token."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import colander
from pyramid.request import Request

from jobtracker.audit import recording as audit
from jobtracker.audit.models import AuditKind
from jobtracker.auth import cognito_errors, schemas
from jobtracker.auth.attempts import is_known_network, limit_failures, may_send_mail
from jobtracker.auth.otpauth import otpauth_uri
from jobtracker.auth.sign_in import Profile, SignIn, Tokens
from jobtracker.auth.tokens import AccessToken
from jobtracker.db.connections import transaction_of
from jobtracker.errors import DATABASE_ERRORS, ApiError, Unavailable
from jobtracker.fields import Schema
from jobtracker.http.rate_limits import (
    AUTH_BY_ADDRESS,
    AUTH_BY_EMAIL,
    AUTH_BY_SESSION,
    check_rate_limits,
)
from jobtracker.http.service import ApiService, ThreadPool
from jobtracker.http.validation import json_object
from jobtracker.permissions import Permission
from jobtracker.tree import Root
from jobtracker.users import queries as users
from jobtracker.users.resources import revoke_tokens, revoke_tokens_of_account

log = logging.getLogger(__name__)

LOGOUT_IN = schemas.LogoutIn()
SIGN_IN_OUT = schemas.SignInOut()
STATUS_OUT = schemas.StatusOut()
SERVICE: dict[str, Any] = {"context": Root, "traverse": "/", "thread_pool": ThreadPool.GATEWAY}


def _post(
    name: str,
    body: Schema,
    returns: Schema,
    *errors: int,
    by_email: bool = False,
    by_session: bool = False,
    single_statement: bool = False,
) -> Callable[[Callable[[Request], Any]], ApiService]:
    """Make a view the service of a public POST, limited by address, by e-mail if ``by_email``, and
    by the session of a sign-in if ``by_session``."""
    service = ApiService(name, f"/auth/cognito/{name}", **SERVICE)
    limits = [AUTH_BY_ADDRESS, AUTH_BY_EMAIL] if by_email else [AUTH_BY_ADDRESS]
    if by_session:
        limits.append(AUTH_BY_SESSION)
    options: dict[str, Any] = {"body": body, "returns": returns, "rate_limits": limits}
    options["single_statement"] = single_statement

    def add_view(view: Callable[[Request], Any]) -> ApiService:
        service.add_view("POST", view, permission=Permission.PUBLIC, errors=errors, **options)
        return service

    return add_view


def _ok(message: str) -> dict[str, str]:
    return {"status": "OK", "message": message}


@_post("signup", schemas.SignUpIn(), STATUS_OUT, 400, 401, 409, by_email=True)
def post_sign_up(request: Request) -> dict[str, str]:
    """Make an account. A code for ``confirm`` comes by e-mail."""
    form = request.validated
    request.turnstile.check(form.pop("turnstile_token"))
    audit.record_of_account(request, request.connection, AuditKind.SIGN_UP, form["email"])
    if request.cognito.sign_up(**form):
        return _ok("Your account is ready.")
    return {"status": "CONFIRMATION_REQUIRED", "message": "We have sent you a code by e-mail."}


@_post("confirm", schemas.ConfirmIn(), STATUS_OUT, 400)
@limit_failures("confirm")
def post_confirm(request: Request) -> dict[str, str]:
    """Show with the code that the address is yours. For an unknown account, and one that is
    confirmed, every code is a wrong one, except where it was confirmed from the same network."""
    return _confirm(request)


@_post("verification/confirm", schemas.ConfirmIn(), STATUS_OUT, 400)
@limit_failures("confirm")
def post_verification_confirm(request: Request) -> dict[str, str]:
    """The same as ``confirm``, by the name that the SPA's code page knows."""
    return _confirm(request)


def _confirm(request: Request) -> dict[str, str]:
    form = request.validated
    _check_writable(request)
    try:
        request.cognito.confirm_sign_up(**form)
        audit.record_of_account(
            request, request.connection, AuditKind.EMAIL_CONFIRMED, form["email"]
        )
    except cognito_errors.AlreadyConfirmed:
        # Only to the owner: a stranger would learn that there is such an account.
        if not is_known_network(request):
            raise
    return _ok("Your e-mail address is confirmed.")


@_post("verification/send", schemas.EmailIn(), STATUS_OUT, by_email=True)
def post_verification_send(request: Request) -> dict[str, str]:
    """Send the code again. The answer is the same whether or not there is such an account."""
    if may_send_mail(request, "verification/send"):
        request.cognito.resend_confirmation_code(**request.validated)
    return _ok("If an account waits for its confirmation, we have sent it a new code.")


@_post("forgot-password", schemas.EmailIn(), STATUS_OUT, by_email=True)
def post_forgot_password(request: Request) -> dict[str, str]:
    """Ask for a code to set a new password. The answer is the same whether or not there is such an
    account. One whose address is not confirmed gets no code: confirm it first."""
    if may_send_mail(request, "forgot-password"):
        request.cognito.forgot_password(**request.validated)
    return _ok(
        "If there is an account with this address, we have sent it a code. If you have not "
        "confirmed your address yet, ask for a new confirmation code first."
    )


@_post("reset-password", schemas.ResetPasswordIn(), STATUS_OUT, 400)
@limit_failures("reset-password")
def post_reset_password(request: Request) -> dict[str, str]:
    """Set a new password with that code. For an unknown account every code is a wrong one. All
    tokens are revoked, access tokens included."""
    _check_writable(request)
    sub = request.cognito.reset_password(**request.validated)
    user_id = revoke_tokens_of_account(request, sub=sub, email=request.validated["email"])
    if user_id is not None:
        audit.record(request, request.connection, AuditKind.PASSWORD_RESET, user_id)
    return _ok("Your password is changed. Please sign in.")


@_post("login", schemas.LoginIn(), SIGN_IN_OUT, 401, 403)
@limit_failures("login")
def post_login(request: Request) -> SignIn:
    """Sign in: to tokens, or to a challenge that must be answered first. ``details.code`` of a 403
    is EMAIL_NOT_VERIFIED, PASSWORD_RESET_REQUIRED (ask for a code by ``forgot-password``, and set a
    new password by ``reset-password``) or TEMPORARY_PASSWORD_EXPIRED."""
    return _sync_user(request, request.cognito.sign_in)


@_post("challenge", schemas.ChallengeIn(), SIGN_IN_OUT, 400, 401, 403, by_session=True)
@limit_failures("challenge")
def post_challenge(request: Request) -> SignIn:
    """Answer a challenge. ``USERNAME`` in ``responses`` can be left out, and is the e-mail address
    otherwise."""
    is_password = request.validated["challenge_name"] == "NEW_PASSWORD_REQUIRED"
    change = AuditKind.PASSWORD_CHANGED if is_password else None
    return _sync_user(request, request.cognito.answer_challenge, change)


@_post("mfa/setup", schemas.MfaSetupIn(), schemas.MfaSetupOut(), 400, 401, by_session=True)
def post_mfa_setup(request: Request) -> dict[str, str]:
    """Begin to set up TOTP, in a sign-in whose next step is MFA_SETUP."""
    secret, session = request.cognito.associate_totp_in_sign_in(request.validated["session"])
    uri = otpauth_uri(secret, request.validated["label"])
    return {"secret_code": secret, "otpauth_uri": uri, "session": session}


@_post("mfa/verify", schemas.MfaVerifyIn(), SIGN_IN_OUT, 400, 401, 403, by_session=True)
@limit_failures("mfa/verify")
def post_mfa_verify(request: Request) -> SignIn:
    """End to set up TOTP with a first code, and sign in by it."""
    return _sync_user(request, request.cognito.verify_totp_in_sign_in, AuditKind.MFA_ENABLED)


@_post("refresh", schemas.RefreshIn(), SIGN_IN_OUT, 401, 403, single_statement=True)
def post_refresh(request: Request) -> SignIn:
    """New access and ID tokens for a refresh token. The refresh token in the response takes its
    place, and can be the same."""
    _check_connection(request)
    sign_in = request.cognito.refresh(**request.validated)
    if sign_in.tokens:
        token = AccessToken.from_cognito(sign_in.tokens.access_token)
        if users.is_revoked(request.connection, token.key):
            with _log_failure():
                request.cognito.revoke(sign_in.tokens.refresh_token)
            raise cognito_errors.wrong_credentials("")
        _update_profile(request, sign_in.tokens)
    return sign_in


logout = ApiService("logout", "/auth/cognito/logout", **SERVICE)


@logout.post(
    permission=Permission.PUBLIC, returns=STATUS_OUT, optional_body=LOGOUT_IN, single_statement=True
)
def post_logout(request: Request) -> dict[str, str]:
    """Sign out. Always succeeds. All tokens of the session are revoked whose ``refresh_token`` or
    access token comes with the request."""
    with _log_failure():
        if request.content_length:
            check_rate_limits([AUTH_BY_ADDRESS], request)
            given = {"refresh_token": json_object(request).get("refresh_token")}
            if refresh_token := LOGOUT_IN.deserialize(given)["refresh_token"]:
                _end_session(request, refresh_token)
    with _log_failure():
        bearer = request.bearer_token  # not verified_token, which raises RateLimited
        if bearer and (token := request.access_tokens.verify(bearer)) is not None:
            _revoke_session(request, token)
    return _ok("Logged out")


def _end_session(request: Request, refresh_token: str) -> None:
    """Revoke a refresh token, and the access tokens of its session.

    A refresh token is opaque. Only Cognito can tell of which session it is, by a refresh.
    """
    revoked = [refresh_token]
    with _log_failure():
        tokens = request.cognito.refresh(refresh_token).tokens
        if tokens is not None:
            if tokens.refresh_token != refresh_token:  # rotated
                revoked.append(tokens.refresh_token)
            _revoke_session(request, AccessToken.from_cognito(tokens.access_token))
    for each in revoked:
        request.cognito.revoke(each)


def _revoke_session(request: Request, token: AccessToken) -> None:
    user_id = users.identify(request.connection, token.sub)
    if user_id is None:
        return
    with transaction_of(request) as connection:
        if token.origin_jti:
            was_valid = users.revoke_session(connection, user_id, token.origin_jti)
        else:
            was_valid = not users.is_revoked(connection, token._replace(user_id=user_id).key)
            revoke_tokens(request, connection, user_id)
        if was_valid:
            audit.record(request, connection, AuditKind.SIGN_OUT, user_id, token.origin_jti)


@contextlib.contextmanager
def _log_failure() -> Iterator[None]:
    try:
        yield
    except (ApiError, colander.Invalid, *DATABASE_ERRORS) as error:
        log.info("A session is not revoked: %s", type(error).__name__)


def _check_connection(request: Request) -> None:
    """Check the connection before a step of Cognito's that cannot be repeated."""
    request.connection.execute("SELECT 1")


def _check_writable(request: Request) -> None:
    """As :func:`_check_connection`; Unavailable if the database is read-only, since the step is
    recorded once it has succeeded."""
    read_only = "SELECT current_setting('transaction_read_only')"
    if request.connection.execute(read_only).fetchone() == ("on",):
        raise Unavailable


def _sync_user(
    request: Request, operation: Callable[..., SignIn], change: AuditKind | None = None
) -> SignIn:
    """Perform a step of a sign-in, and update the database's copy of the user's profile.

    A step that succeeds uses up its session.

    :param change: what the step changes, for the audit
    """
    _check_writable(request)
    sign_in = operation(**request.validated)
    if sign_in.tokens:
        request.access_tokens.check_source(sign_in.tokens.access_token)
        kinds = [change] if change else []
        _update_profile(request, sign_in.tokens, *kinds, AuditKind.SIGN_IN)
    elif change:
        audit.record_of_account(request, request.connection, change, request.validated["email"])
    return sign_in


def _update_profile(request: Request, tokens: Tokens, *kinds: AuditKind) -> None:
    """Update the copy of the user's profile, and record audit entries in the same transaction."""
    profile = Profile.from_id_token(tokens.id_token)
    with _revoke_if_deleted(request, tokens), transaction_of(request) as connection:
        user_id = users.upsert_user(connection, profile.sub, email=profile.email, name=profile.name)
        if not kinds:  # a refresh: the sign-in has moved what was recorded before it
            return
        audit.move_to_user(request, connection, profile.email, user_id)
        origin_jti = AccessToken.from_cognito(tokens.access_token).origin_jti
        for kind in kinds:
            audit.record(request, connection, kind, user_id, origin_jti)


@contextlib.contextmanager
def _revoke_if_deleted(request: Request, tokens: Tokens) -> Iterator[None]:
    """Answer the sign-in of a deleted account, which Cognito may not have deleted yet, as that of
    an unknown one."""
    try:
        yield
    except users.AccountDeleted:
        with _log_failure():
            request.cognito.revoke(tokens.refresh_token)
        raise cognito_errors.wrong_credentials("") from None
