"""``/auth/cognito/*``: the endpoints that need no access token."""

import logging
from collections.abc import Callable
from typing import Any

import colander
from pyramid.request import Request

from jobtracker.auth import schemas
from jobtracker.auth.attempts import limit_failures, may_send_mail
from jobtracker.auth.sign_in import Profile, SignIn
from jobtracker.auth.totp import otpauth_uri
from jobtracker.errors import ApiError
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

log = logging.getLogger(__name__)

LOGOUT_IN = schemas.LogoutIn()
SIGN_IN_OUT = schemas.SignInOut()
STATUS_OUT = schemas.StatusOut()
SERVICE: dict[str, Any] = {"context": Root, "traverse": "/", "thread_pool": ThreadPool.GATEWAY}

logout = ApiService("logout", "/auth/cognito/logout", **SERVICE)


def _post(
    name: str,
    body: Schema,
    returns: Schema,
    *errors: int,
    by_email: bool = False,
    by_session: bool = False,
) -> Callable[[Callable[[Request], Any]], ApiService]:
    """Make a view the service of a public POST, limited by address, by e-mail if ``by_email``, and
    by the session of a sign-in if ``by_session``."""
    service = ApiService(name, f"/auth/cognito/{name}", **SERVICE)
    limits = [AUTH_BY_ADDRESS, AUTH_BY_EMAIL] if by_email else [AUTH_BY_ADDRESS]
    if by_session:
        limits.append(AUTH_BY_SESSION)
    options: dict[str, Any] = {"body": body, "returns": returns, "rate_limits": limits}

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
    if request.cognito.sign_up(**form):
        return _ok("Your account is ready.")
    return {"status": "CONFIRMATION_REQUIRED", "message": "We have sent you a code by e-mail."}


@_post("confirm", schemas.ConfirmIn(), STATUS_OUT, 400)
@limit_failures("confirm")
def post_confirm(request: Request) -> dict[str, str]:
    """Show with the code that the address is yours. For an unknown account, and one that is
    confirmed, every code is a wrong one."""
    request.cognito.confirm_sign_up(**request.validated)
    return _ok("Your e-mail address is confirmed.")


@_post("verification/confirm", schemas.ConfirmIn(), STATUS_OUT, 400)
@limit_failures("confirm")
def post_verification_confirm(request: Request) -> dict[str, str]:
    """The same as ``confirm``, by the name that the SPA's code page knows."""
    request.cognito.confirm_sign_up(**request.validated)
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
    account."""
    if may_send_mail(request, "forgot-password"):
        request.cognito.forgot_password(**request.validated)
    return _ok("If there is an account with this address, we have sent it a code.")


@_post("reset-password", schemas.ResetPasswordIn(), STATUS_OUT, 400)
@limit_failures("reset-password")
def post_reset_password(request: Request) -> dict[str, str]:
    """Set a new password with that code. For an unknown account every code is a wrong one."""
    request.cognito.reset_password(**request.validated)
    return _ok("Your password is changed. Please sign in.")


@_post("login", schemas.LoginIn(), SIGN_IN_OUT, 401, 403)
@limit_failures("login")
def post_login(request: Request) -> SignIn:
    """Sign in: to tokens, or to a challenge that must be answered first."""
    return _sync_user(request, request.cognito.sign_in)


@_post("challenge", schemas.ChallengeIn(), SIGN_IN_OUT, 400, 401, 403, by_session=True)
@limit_failures("challenge")
def post_challenge(request: Request) -> SignIn:
    """Answer a challenge. ``USERNAME`` in ``responses`` can be left out, and is the e-mail address
    otherwise."""
    return _sync_user(request, request.cognito.answer_challenge)


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
    return _sync_user(request, request.cognito.verify_totp_in_sign_in)


@_post("refresh", schemas.RefreshIn(), SIGN_IN_OUT, 401, 403)
def post_refresh(request: Request) -> SignIn:
    """New access and ID tokens for a refresh token. The refresh token in the response takes its
    place, and can be the same."""
    return request.cognito.refresh(**request.validated)


@logout.post(permission=Permission.PUBLIC, returns=STATUS_OUT, optional_body=LOGOUT_IN)
def post_logout(request: Request) -> dict[str, str]:
    """Sign out. Always succeeds; a ``refresh_token`` in the body is revoked."""
    if request.content_length:
        try:
            check_rate_limits([AUTH_BY_ADDRESS], request)
            given = {"refresh_token": json_object(request).get("refresh_token")}
            if token := LOGOUT_IN.deserialize(given)["refresh_token"]:
                request.cognito.revoke(token)
        except (ApiError, colander.Invalid) as error:
            log.info("Signed out without a revocation: %s", type(error).__name__)
    return _ok("Logged out")


def _sync_user(request: Request, operation: Callable[..., SignIn]) -> SignIn:
    """Perform a step of a sign-in, and update the database's copy of the user's profile.

    The connection is checked first: a step that succeeds uses up its session, so that it could not
    be repeated after an error of the database.
    """
    request.connection.execute("SELECT 1")
    sign_in = operation(**request.validated)
    if sign_in.tokens:
        profile = Profile.from_id_token(sign_in.tokens.id_token)
        users.upsert_user(request.connection, profile.sub, email=profile.email, name=profile.name)
    return sign_in
