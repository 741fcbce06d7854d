"""``/auth/cognito/*``: open to everybody."""

import logging
from collections.abc import Callable
from typing import Any

import colander
from pyramid.request import Request

from jobtracker.auth.schemas import (
    ChallengeIn,
    ConfirmIn,
    EmailIn,
    LoginIn,
    LogoutIn,
    MfaSetupIn,
    MfaSetupOut,
    MfaVerifyIn,
    RefreshIn,
    ResetPasswordIn,
    SignInOut,
    SignUpIn,
    StatusOut,
)
from jobtracker.auth.sign_in import SignIn, profile_of
from jobtracker.auth.totp import otpauth_uri
from jobtracker.errors import ApiError
from jobtracker.http.rate_limits import AUTH_BY_ADDRESS, AUTH_BY_EMAIL, check_rate_limits
from jobtracker.http.service import ApiService
from jobtracker.http.validation import json_object
from jobtracker.permissions import Permission
from jobtracker.tree import Root
from jobtracker.users import queries as users

log = logging.getLogger(__name__)

LOGOUT_IN = LogoutIn()


def _service(name: str) -> ApiService:
    return ApiService(name, f"/auth/cognito/{name}", context=Root, traverse="/")


sign_up = _service("signup")
confirm = _service("confirm")
verification_send = _service("verification/send")
verification_confirm = _service("verification/confirm")
forgot_password = _service("forgot-password")
reset_password = _service("reset-password")
login = _service("login")
challenge = _service("challenge")
mfa_setup = _service("mfa/setup")
mfa_verify = _service("mfa/verify")
refresh = _service("refresh")
logout = _service("logout")


@sign_up.post(
    permission=Permission.PUBLIC,
    body=SignUpIn(),
    returns=StatusOut(),
    errors=(400, 401, 409),
    rate_limits=[AUTH_BY_ADDRESS, AUTH_BY_EMAIL],
)
def post_sign_up(request: Request) -> dict[str, str]:
    """Make an account. A code for ``confirm`` comes by e-mail."""
    form = request.validated
    request.turnstile.check(form["turnstile_token"])
    if request.cognito.sign_up(form["email"], form["password"], form["name"]):
        return {"status": "OK", "message": "Your account is ready."}
    return {"status": "CONFIRMATION_REQUIRED", "message": "We have sent you a code by e-mail."}


@confirm.post(
    permission=Permission.PUBLIC,
    body=ConfirmIn(),
    returns=StatusOut(),
    errors=(400, 401),
    rate_limits=[AUTH_BY_ADDRESS, AUTH_BY_EMAIL],
)
def post_confirm(request: Request) -> dict[str, str]:
    """Show with the code that the address is yours."""
    request.cognito.confirm_sign_up(**request.validated)
    return {"status": "OK", "message": "Your e-mail address is confirmed."}


@verification_confirm.post(
    permission=Permission.PUBLIC,
    body=ConfirmIn(),
    returns=StatusOut(),
    errors=(400, 401),
    rate_limits=[AUTH_BY_ADDRESS, AUTH_BY_EMAIL],
)
def post_verification_confirm(request: Request) -> dict[str, str]:
    """The same as ``confirm``, by the name that the SPA's code page knows."""
    return post_confirm(request)


@verification_send.post(
    permission=Permission.PUBLIC,
    body=EmailIn(),
    returns=StatusOut(),
    rate_limits=[AUTH_BY_ADDRESS, AUTH_BY_EMAIL],
)
def post_verification_send(request: Request) -> dict[str, str]:
    """Send the code again. The answer is the same whether or not there is such an account."""
    request.cognito.send_code(**request.validated)
    return {
        "status": "OK",
        "message": "If an account waits for its confirmation, we have sent it a new code.",
    }


@forgot_password.post(
    permission=Permission.PUBLIC,
    body=EmailIn(),
    returns=StatusOut(),
    rate_limits=[AUTH_BY_ADDRESS, AUTH_BY_EMAIL],
)
def post_forgot_password(request: Request) -> dict[str, str]:
    """Ask for a code to set a new password. The answer is the same whether or not there is such an
    account."""
    request.cognito.send_reset_code(**request.validated)
    return {
        "status": "OK",
        "message": "If there is an account with this address, we have sent it a code.",
    }


@reset_password.post(
    permission=Permission.PUBLIC,
    body=ResetPasswordIn(),
    returns=StatusOut(),
    errors=(400,),
    rate_limits=[AUTH_BY_ADDRESS, AUTH_BY_EMAIL],
)
def post_reset_password(request: Request) -> dict[str, str]:
    """Set a new password with that code. For an unknown account every code is a wrong one."""
    request.cognito.reset_password(**request.validated)
    return {"status": "OK", "message": "Your password is changed. Please sign in."}


@login.post(
    permission=Permission.PUBLIC,
    body=LoginIn(),
    returns=SignInOut(),
    errors=(401, 403),
    rate_limits=[AUTH_BY_ADDRESS, AUTH_BY_EMAIL],
)
def post_login(request: Request) -> SignIn:
    """Sign in: to tokens, or to a challenge that must be answered first."""
    return _known(request, request.cognito.sign_in, **request.validated)


@challenge.post(
    permission=Permission.PUBLIC,
    body=ChallengeIn(),
    returns=SignInOut(),
    errors=(400, 401, 403),
    rate_limits=[AUTH_BY_ADDRESS, AUTH_BY_EMAIL],
)
def post_challenge(request: Request) -> SignIn:
    """Answer a challenge."""
    return _known(request, request.cognito.answer_challenge, **request.validated)


@mfa_setup.post(
    permission=Permission.PUBLIC,
    body=MfaSetupIn(),
    returns=MfaSetupOut(),
    errors=(400, 401),
    rate_limits=[AUTH_BY_ADDRESS],
)
def post_mfa_setup(request: Request) -> dict[str, str]:
    """Begin to set up TOTP, in a sign-in whose next step is MFA_SETUP."""
    secret, session = request.cognito.new_totp_secret(request.validated["session"])
    uri = otpauth_uri(secret, request.validated["label"])
    return {"secret_code": secret, "otpauth_uri": uri, "session": session}


@mfa_verify.post(
    permission=Permission.PUBLIC,
    body=MfaVerifyIn(),
    returns=SignInOut(),
    errors=(400, 401, 403),
    rate_limits=[AUTH_BY_ADDRESS, AUTH_BY_EMAIL],
)
def post_mfa_verify(request: Request) -> SignIn:
    """End to set up TOTP with a first code, and sign in by it."""
    return _known(request, request.cognito.verify_totp, **request.validated)


@refresh.post(
    permission=Permission.PUBLIC,
    body=RefreshIn(),
    returns=SignInOut(),
    errors=(401, 403),
    rate_limits=[AUTH_BY_ADDRESS],
)
def post_refresh(request: Request) -> SignIn:
    """New access and ID tokens for a refresh token."""
    return request.cognito.refresh(**request.validated)


@logout.post(permission=Permission.PUBLIC, returns=StatusOut(), optional_body=LOGOUT_IN)
def post_logout(request: Request) -> dict[str, str]:
    """Sign out. Always succeeds; a ``refresh_token`` in the body is revoked."""
    if request.content_length:
        try:
            check_rate_limits([AUTH_BY_ADDRESS], request)
            given = {"refresh_token": json_object(request).get("refresh_token")}
            if token := LOGOUT_IN.deserialize(given)["refresh_token"]:
                request.cognito.revoke(token)
        except (ApiError, colander.Invalid) as refusal:
            log.info("Signed out without a revocation: %s", type(refusal).__name__)
    return {"status": "OK", "message": "Logged out"}


def _known(request: Request, step: Callable[..., SignIn], **form: Any) -> SignIn:
    """Take a step of a sign-in, and keep our copy of who signed in.

    The database is asked for a sign of life first: of a step that used up its session, nothing must
    fail that can be known to.
    """
    request.connection.execute("SELECT 1")
    sign_in = step(**form)
    if sign_in.tokens:
        profile = profile_of(sign_in.tokens)
        users.sign_in(request.connection, profile.sub, email=profile.email, name=profile.name)
    return sign_in
