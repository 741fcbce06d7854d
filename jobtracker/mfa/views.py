"""``/users/me/mfa``: the state of the second factor, TOTP on and off."""

from collections.abc import Sequence
from typing import Any

from pyramid.request import Request

from jobtracker.auth.cognito import TOTP
from jobtracker.auth.totp import otpauth_uri
from jobtracker.http.rate_limits import AUTH_BY_USER
from jobtracker.http.service import ApiService, validate_optional_body
from jobtracker.mfa.resources import MfaResource
from jobtracker.mfa.schemas import MfaConfirmIn, MfaDisableIn, MfaEnrolIn, MfaEnrolOut, MfaOut
from jobtracker.security import Permission, bearer_token

MFA_OUT = MfaOut()
MFA_ENROL_IN = MfaEnrolIn()
CHANGE: dict[str, Any] = {"permission": Permission.WRITE, "rate_limits": [AUTH_BY_USER]}

PATH = "/users/me/mfa"
mfa = ApiService("mfa", PATH, context=MfaResource)
mfa_confirm = ApiService("mfa_confirm", f"{PATH}/confirm", context=MfaResource, traverse=PATH)


@mfa.get(permission=Permission.READ, returns=MFA_OUT, errors=(403, 429), conditional=None)
def get_mfa(request: Request) -> dict[str, Any]:
    """Whether signing in takes more than the password, and what."""
    return _state(request.context.methods(bearer_token(request)))


@mfa.post(
    optional_body=MFA_ENROL_IN,
    returns=MfaEnrolOut(),
    errors=(400, 413, 415, 422),
    idempotent=False,  # the response has a secret, which must not be stored
    **CHANGE,
)
def post_mfa(request: Request) -> dict[str, str]:
    """Begin to set up TOTP. Nothing changes until it is confirmed. The label is what the app shows;
    the e-mail address unless another is given."""
    label = validate_optional_body(MFA_ENROL_IN, request)["label"]
    secret = request.context.enrol(bearer_token(request))
    uri = otpauth_uri(secret, label or request.context.user.email)
    return {"secret_code": secret, "otpauth_uri": uri}


@mfa_confirm.post(body=MfaConfirmIn(), returns=MFA_OUT, errors=(400, 403, 409), **CHANGE)
def post_mfa_confirm(request: Request) -> dict[str, Any]:
    """End to set up TOTP with a first code. From now on signing in asks for one."""
    request.context.confirm(bearer_token(request), **request.validated)
    return _state([TOTP])


@mfa.delete(body=MfaDisableIn(), returns=MFA_OUT, errors=(400, 403, 409), **CHANGE)
def delete_mfa(request: Request) -> dict[str, Any]:
    """Switch TOTP off. The password is asked for again."""
    request.context.disable(bearer_token(request), **request.validated)
    return _state([])


def _state(methods: Sequence[str]) -> dict[str, Any]:
    return {"enabled": bool(methods), "methods": methods}
