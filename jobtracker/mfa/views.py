"""``/users/me/mfa``: the state of the second factor, TOTP on and off."""

from collections.abc import Sequence
from typing import Any

from pyramid.request import Request

from jobtracker.auth.cognito import TOTP
from jobtracker.auth.otpauth import otpauth_uri
from jobtracker.http.rate_limits import AUTH_BY_USER, MFA_BY_USER
from jobtracker.http.service import ApiService, ThreadPool
from jobtracker.http.validation import validate_optional_body
from jobtracker.mfa import schemas
from jobtracker.mfa.resources import MfaResource
from jobtracker.permissions import Permission

MFA_OUT = schemas.MfaOut()
MFA_ENROL_IN = schemas.MfaEnrolIn()
CHANGE: dict[str, Any] = {"errors": (400, 403, 409), "rate_limits": [AUTH_BY_USER]}
PATH = "/users/me/mfa"
OPTIONS: dict[str, Any] = {"context": MfaResource, "thread_pool": ThreadPool.GATEWAY}
mfa = ApiService("mfa", PATH, **OPTIONS)
mfa_confirm = ApiService("mfa_confirm", f"{PATH}/confirm", traverse=PATH, **OPTIONS)


@mfa.get(
    permission=Permission.READ, returns=MFA_OUT, errors=(403,), rate_limits=[MFA_BY_USER], etag=None
)
def get_mfa(request: Request) -> dict[str, Any]:
    """Whether signing in takes more than the password, and what."""
    return _state(request.context.methods())


@mfa.post(
    permission=Permission.WRITE,
    optional_body=MFA_ENROL_IN,
    returns=schemas.MfaEnrolOut(),
    errors=(400, 403, 413, 415, 422),
    rate_limits=[AUTH_BY_USER],
    idempotent=False,  # the response has a secret, which must not be stored
)
def post_mfa(request: Request) -> dict[str, str]:
    """Begin to set up TOTP. Nothing changes until it is confirmed. The label is what the app shows;
    the e-mail address unless another is given. While a second factor is on, which the new one would
    replace, the password is asked for: 403 with the code PASSWORD_REQUIRED without it."""
    form = validate_optional_body(MFA_ENROL_IN, request)
    secret = request.context.associate_totp(form["password"])
    uri = otpauth_uri(secret, form["label"] or request.context.user.email)
    return {"secret_code": secret, "otpauth_uri": uri}


@mfa_confirm.post(
    permission=Permission.WRITE, body=schemas.MfaConfirmIn(), returns=MFA_OUT, **CHANGE
)
def post_mfa_confirm(request: Request) -> dict[str, Any]:
    """End to set up TOTP with a first code. From now on signing in asks for one."""
    request.context.enable_totp(**request.validated)
    return _state([TOTP])


@mfa.delete(permission=Permission.WRITE, body=schemas.MfaDisableIn(), returns=MFA_OUT, **CHANGE)
def delete_mfa(request: Request) -> dict[str, Any]:
    """Switch TOTP off. The password is asked for again."""
    request.context.disable_totp(**request.validated)
    return _state([])


def _state(methods: Sequence[str]) -> dict[str, Any]:
    return {"enabled": bool(methods), "methods": methods}
