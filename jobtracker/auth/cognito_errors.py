"""Translation of Cognito's errors into API errors.

Cognito's own messages are not passed on: they reveal whether an account exists.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_Operations.html
"""

from collections.abc import Callable
from typing import Any

from jobtracker import errors
from jobtracker.errors import ApiError, BadRequest

# Makes the API error from Cognito's message; and those functions by Cognito's error code.
ErrorFactory = Callable[[str], ApiError]
ErrorMap = dict[str, ErrorFactory]

# The same for a wrong password, an unknown address, an expired session and a revoked token.
WRONG_CREDENTIALS = "These credentials are not valid, or no longer so. Please sign in again."


class AccessTokenRejected(errors.Unauthorized):
    """Cognito no longer accepts an access token that is valid by its signature and its times.

    :param account_ended: whether the account was deleted or disabled, not only this session ended
    """

    def __init__(self, *, account_ended: bool) -> None:
        super().__init__(WRONG_CREDENTIALS)
        self.account_ended = account_ended


def _always(error: type[ApiError], *args: Any, **options: Any) -> ErrorFactory:
    return lambda _message: error(*args, **options)


def _bad_request(message: str, code: str) -> ErrorFactory:
    return _always(BadRequest, message, details={"code": code})


def _email_not_verified(**details: str) -> ErrorFactory:
    details["code"] = code = "EMAIL_NOT_VERIFIED"
    text = "Please confirm your e-mail address first."
    return _always(errors.Forbidden, text, code=code, details=details)


def with_email(email: str, error_map: ErrorMap) -> ErrorMap:
    """The errors, with the address in that of an account which is not confirmed."""
    return error_map | {"UserNotConfirmedException": _email_not_verified(email=email)}


def rejected_access_token(code: str, message: str) -> AccessTokenRejected | None:
    """The error of an operation with an access token, if its cause is that Cognito revoked it."""
    message = message.lower()
    if code == "UserNotFoundException":
        return AccessTokenRejected(account_ended=True)
    if code == "NotAuthorizedException" and ("disabled" in message or "revoked" in message):
        return AccessTokenRejected(account_ended="disabled" in message)
    return None


throttled = _always(errors.RateLimited, retry_after=30)
unavailable = _always(errors.Unavailable)
wrong_credentials = _always(errors.Unauthorized, WRONG_CREDENTIALS)
account_exists = _always(errors.Conflict, "There is an account with this address already.")
no_totp_secret = _always(errors.Conflict, "Please begin to set up the authenticator app first.")
mfa_required = _always(
    errors.Conflict, "A second factor is required here. It cannot be switched off."
)
wrong_code = _bad_request("This code is not correct.", "CODE_MISMATCH")
wrong_or_expired_code = _bad_request(
    "This code is not correct, or no longer valid.", "CODE_MISMATCH"
)
password_required = _always(
    errors.Forbidden,
    "Please enter your password: another second factor is on.",
    details={"code": "PASSWORD_REQUIRED"},
)
password_reset_required = _always(
    errors.Forbidden,
    "Please set a new password first, with a code by e-mail.",
    details={"code": "PASSWORD_RESET_REQUIRED"},
)

# Password policy violations, and their codes in the API.
VIOLATIONS = {
    "Password not long enough": "min_length",
    "Password must have uppercase characters": "uppercase",
    "Password must have lowercase characters": "lowercase",
    "Password must have numeric characters": "number",
    "Password must have symbol characters": "special_char",
}


def weak_password(message: str) -> ApiError:
    # "Password did not conform with policy: Password not long enough": the only message that is
    # passed on, since it says nothing about the account.
    violations = [part.strip() for part in message.partition(":")[2].split(";") if part.strip()]
    known = [VIOLATIONS.get(violation, violation) for violation in violations]
    details = {"code": "WEAK_PASSWORD", "violations": known or ["Choose another password"]}
    return BadRequest("This password is too weak.", details=details)


def _wrong_password(text: str, other_cause: str, other_error: ErrorFactory) -> ErrorFactory:
    """Errors of NotAuthorizedException, whose causes are distinguished by Cognito's message."""
    wrong = _bad_request(text, "WRONG_PASSWORD")
    return lambda message: (other_error if other_cause in message.lower() else wrong)(message)


wrong_password = _wrong_password("The password is not correct.", "attempts exceeded", throttled)
wrong_current_password = _wrong_password(
    "The current password is not correct.", "access token", wrong_credentials
)

#: For all operations; a code that is not listed becomes 503.
DEFAULT: ErrorMap = {
    "NotAuthorizedException": wrong_credentials,
    "UserNotFoundException": wrong_credentials,
    "UserNotConfirmedException": _email_not_verified(),
    "PasswordResetRequiredException": password_reset_required,
    "UsernameExistsException": account_exists,
    "CodeMismatchException": wrong_code,
    "EnableSoftwareTokenMFAException": wrong_code,  # from VerifySoftwareToken
    "ExpiredCodeException": _bad_request("This code is no longer valid.", "EXPIRED_CODE"),
    "InvalidPasswordException": weak_password,
    "PasswordHistoryPolicyViolationException": weak_password,
    "InvalidParameterException": _always(BadRequest, "The sign-in service does not accept this."),
    "TooManyRequestsException": throttled,
    "LimitExceededException": throttled,
    "TooManyFailedAttemptsException": throttled,
}

#: For operations with a session: a malformed or unknown session counts as an expired one.
SESSION: ErrorMap = DEFAULT | dict.fromkeys(
    ("ParamValidationError", "ResourceNotFoundException"), wrong_credentials
)

#: For InitiateAuth: its parameters are valid, so that the app client must lack the flow.
INITIATE_AUTH: ErrorMap = DEFAULT | {"InvalidParameterException": unavailable}

#: For InitiateAuth with the password of a user who is signed in.
PASSWORD_CHECK: ErrorMap = INITIATE_AUTH | dict.fromkeys(
    ("NotAuthorizedException", "UserNotFoundException"), wrong_password
)

CHANGE_PASSWORD: ErrorMap = DEFAULT | {"NotAuthorizedException": wrong_current_password}
ENABLE_TOTP: ErrorMap = DEFAULT | {"SoftwareTokenMFANotFoundException": no_totp_secret}
DISABLE_TOTP: ErrorMap = DEFAULT | {"InvalidParameterException": mfa_required}

#: For GetTokensFromRefreshToken: a malformed or rotated token counts as an expired one.
REFRESH: ErrorMap = INITIATE_AUTH | dict.fromkeys(
    ("InvalidParameterException", "RefreshTokenReuseException"), wrong_credentials
)

#: Codes that reveal whether an account exists, and in which state it is.
ACCOUNT_CODES = (
    "UserNotFoundException",
    "UserNotConfirmedException",
    "NotAuthorizedException",
    "AliasExistsException",
)


def _invalid_parameter_or_account(message: str) -> ApiError:
    """The error of InvalidParameterException, which is about the state of the account unless it is
    about the form of a parameter."""
    is_form = "validation error" in message
    return (DEFAULT["InvalidParameterException"] if is_form else wrong_or_expired_code)(message)


#: For ConfirmSignUp and ConfirmForgotPassword. Which of these codes Cognito sends depends on the
#: account, also with PreventUserExistenceErrors: CodeMismatch for an unknown one, ExpiredCode for
#: one that was sent no code, NotAuthorized for one that is confirmed. So they look the same.
#: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-managing-errors.html
CODE_BY_EMAIL: ErrorMap = (
    DEFAULT
    | dict.fromkeys(
        (*ACCOUNT_CODES, "CodeMismatchException", "ExpiredCodeException"), wrong_or_expired_code
    )
    | {"InvalidParameterException": _invalid_parameter_or_account}
)


class CodeNotSent(ApiError):
    """No code was sent to an address, for a reason that depends on the account."""


#: What can fail only while a code is sent to an account that exists.
DELIVERY_FAILURES = (
    "CodeDeliveryFailureException",
    "InvalidEmailRoleAccessPolicyException",
    "InvalidLambdaResponseException",
    "UnexpectedLambdaException",
    "UserLambdaValidationException",
)

#: For ResendConfirmationCode and ForgotPassword. InvalidParameter: no deliverable address;
#: LimitExceeded: too many codes for one account.
SENDING: ErrorMap = DEFAULT | dict.fromkeys(
    (*ACCOUNT_CODES, "InvalidParameterException", "LimitExceededException", *DELIVERY_FAILURES),
    _always(CodeNotSent),
)


def is_about_client_secret(message: str) -> bool:
    """Whether a message of Cognito says that the SecretHash or ClientSecret is wrong or missing."""
    text = message.lower()
    return "secret" in text and "client" in text
