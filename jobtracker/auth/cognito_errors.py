"""Translation of Cognito's errors into API errors.

Cognito's own messages are not passed on: they reveal whether an account exists.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_Operations.html
"""

import re
from collections.abc import Callable
from typing import Any

from jobtracker import errors
from jobtracker.auth.cognito_configuration import is_about_form, undelivered
from jobtracker.errors import ApiError, BadRequest, enumeration

# Makes the API error from Cognito's message; and those functions by Cognito's error code.
ErrorFactory = Callable[[str], ApiError]
ErrorMap = dict[str, ErrorFactory]

# The same for a wrong password, an unknown address, an expired session and a revoked token.
WRONG_CREDENTIALS = (
    "These credentials are not valid, or no longer so. Please sign in again, or set a new password."
)


class AccessTokenRejected(errors.Unauthorized):
    """Cognito no longer accepts an access token that is valid by its signature and its times.

    :param account_ended: whether the account was deleted or disabled, not only this session ended
    """

    def __init__(self, *, account_ended: bool) -> None:
        super().__init__(WRONG_CREDENTIALS)
        self.account_ended = account_ended


class AttemptsExceeded(errors.RateLimited):
    """Cognito's lockout after wrong passwords, of one second at first, of about 15 minutes at most.

    https://docs.aws.amazon.com/cognito/latest/developerguide/authentication.html#authentication-flow-lockout-behavior
    """


def _always(error: type[ApiError], *args: Any, **options: Any) -> ErrorFactory:
    return lambda _message: error(*args, **options)


def _bad_request(message: str, code: str) -> ErrorFactory:
    return _always(BadRequest, message, details={"code": code})


def _forbidden(message: str, code: str) -> ErrorFactory:
    return _always(errors.Forbidden, message, details={"code": code})


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


throttled = _always(errors.RateLimited, limit="cognito", retry_after=30)
attempts_exceeded = _always(
    AttemptsExceeded,
    "There were too many wrong passwords. Please wait some minutes before you try again.",
    limit="cognito_lockout",
    retry_after=30,
)
unavailable = _always(errors.Unavailable)
wrong_credentials = _always(errors.Unauthorized, WRONG_CREDENTIALS)
account_exists = _always(
    errors.Conflict, "There is an account with this address already. Please sign in."
)
no_totp_secret = _always(errors.Conflict, "Please begin to set up the authenticator app first.")
mfa_required = _always(
    errors.Conflict, "A second factor is required here. It cannot be switched off."
)
wrong_code = _bad_request("This code is not correct.", "CODE_MISMATCH")
# The same in every state of the account, so they say what to do in each.
wrong_confirmation_code = _bad_request(
    "This code is not correct, or no longer valid. If your address is confirmed already, please "
    "sign in; otherwise ask for a new code.",
    "CODE_MISMATCH",
)
wrong_reset_code = _bad_request(
    "This code is not correct, or no longer valid. Please ask for a new one; if you have not "
    "confirmed your address yet, confirm it first.",
    "CODE_MISMATCH",
)
password_required = _forbidden(
    "Please enter your password: another second factor is on.", "PASSWORD_REQUIRED"
)
code_required = _forbidden(
    "Please enter the code of your authenticator app as well.", "CODE_REQUIRED"
)
password_reset_required = _forbidden(
    "Your password has to be reset. Please ask for a code by e-mail (forgot password), and set a "
    "new password with it.",
    "PASSWORD_RESET_REQUIRED",
)
temporary_password_expired = _forbidden(
    "Your temporary password has expired. Please ask for a new invitation.",
    "TEMPORARY_PASSWORD_EXPIRED",
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
    return BadRequest(f"This password is too weak{_missing(known)}.", details=details)


# What a password lacks, in words, by the codes of violations.
_LACKS = {
    "min_length": "more characters",
    "uppercase": "a capital letter",
    "lowercase": "a small letter",
    "number": "a digit",
    "special_char": "a special character",
}


def _missing(violations: list[str]) -> str:
    lacks = [_LACKS[each] for each in violations if each in _LACKS]
    return f": it needs {enumeration(lacks, 'and')}" if lacks else ""


def used_password(message: str) -> ApiError:
    """The error of a password that the history policy of the user pool excludes."""
    text = "You have used this password before. Please choose another one."
    return BadRequest(text, details=weak_password(message).details)


#: Causes of NotAuthorizedException, by a part of Cognito's message.
CAUSES: ErrorMap = {
    "attempts exceeded": attempts_exceeded,
    "reset required": password_reset_required,
    "password has expired": temporary_password_expired,
    "account has expired": temporary_password_expired,
}


def _not_authorized(otherwise: ErrorFactory, causes: ErrorMap = CAUSES) -> ErrorFactory:
    """The errors of NotAuthorizedException, whose causes only Cognito's message tells apart."""

    def error(message: str) -> ApiError:
        text = message.lower()
        found = (factory for part, factory in causes.items() if part in text)
        return next(found, otherwise)(message)

    return error


wrong_password = _not_authorized(_bad_request("The password is not correct.", "WRONG_PASSWORD"))
wrong_current_password = _not_authorized(
    _bad_request("The current password is not correct.", "WRONG_PASSWORD"),
    CAUSES | {"access token": wrong_credentials},
)

# What people call the parameters of Cognito, in lower case.
_PARAMETERS = {
    "username": "e-mail address",
    "password": "password",
    "previouspassword": "current password",
    "proposedpassword": "new password",
    "confirmationcode": "code",
    "usercode": "code",
    "friendlydevicename": "name of the device",
}


def invalid_parameter(message: str) -> ApiError:
    """The error of a parameter that Cognito does not accept; of the message only the name of the
    parameter is passed on."""
    # "1 validation error detected: Value at 'password' failed to satisfy constraint: ..."
    parameter = re.search(r" at '(\w+)' failed to satisfy", message)
    title = _PARAMETERS.get(parameter[1].lower()) if parameter else None
    if message.startswith("Invalid email address format"):
        title = "e-mail address"
    if title is None:
        return BadRequest("The sign-in service does not accept this.")
    return BadRequest(f"The sign-in service does not accept the {title}. Please choose another.")


#: For all operations; a code that is not listed becomes 503.
DEFAULT: ErrorMap = {
    "NotAuthorizedException": _not_authorized(wrong_credentials),
    "UserNotFoundException": wrong_credentials,
    "UserNotConfirmedException": _email_not_verified(),
    "PasswordResetRequiredException": password_reset_required,
    "UsernameExistsException": account_exists,
    "CodeMismatchException": wrong_code,
    "EnableSoftwareTokenMFAException": wrong_code,  # from VerifySoftwareToken
    "ExpiredCodeException": _bad_request("This code is no longer valid.", "EXPIRED_CODE"),
    "InvalidPasswordException": weak_password,
    "PasswordHistoryPolicyViolationException": used_password,
    "InvalidParameterException": invalid_parameter,
    "TooManyRequestsException": throttled,
    "LimitExceededException": throttled,
    "TooManyFailedAttemptsException": throttled,
}


def _limit_of_sign_up(message: str) -> ApiError:
    return (unavailable if undelivered(message) else throttled)(message)


#: For SignUp, whose code by e-mail can be beyond Cognito's daily limit.
SIGN_UP: ErrorMap = DEFAULT | {"LimitExceededException": _limit_of_sign_up}

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


class AlreadyConfirmed(BadRequest):
    """ConfirmSignUp of an account that is confirmed; the response is that of a wrong code."""


def _code_by_email(wrong_code: ErrorFactory) -> ErrorMap:
    """The errors of a code that was sent by e-mail. Which of these codes Cognito sends depends on
    the account, also with PreventUserExistenceErrors: CodeMismatch for an unknown one, ExpiredCode
    for one that was sent no code, NotAuthorized for one that is confirmed. So they look the same.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-managing-errors.html
    """

    def invalid_form_or_code(message: str) -> ApiError:
        # About the state of the account, unless it is about the form of a parameter.
        return (invalid_parameter if is_about_form(message) else wrong_code)(message)

    codes = (*ACCOUNT_CODES, "CodeMismatchException", "ExpiredCodeException")
    return {
        **DEFAULT,
        **dict.fromkeys(codes, wrong_code),
        "InvalidParameterException": invalid_form_or_code,
    }


def _confirmed_or_wrong(message: str) -> ApiError:
    wrong = wrong_confirmation_code(message)
    # "User cannot be confirmed. Current status is CONFIRMED"; before: "User cannot confirm because
    # user status is not UNCONFIRMED."
    if re.search(r"status is (not UN)?CONFIRMED", message):
        return AlreadyConfirmed(wrong.message, details=wrong.details)
    return wrong


CONFIRM_SIGN_UP: ErrorMap = _code_by_email(wrong_confirmation_code) | {
    "NotAuthorizedException": _confirmed_or_wrong
}
CONFIRM_FORGOT_PASSWORD: ErrorMap = _code_by_email(wrong_reset_code)


class CodeNotSent(ApiError):
    """No code was sent to an address, for a reason that depends on the account."""


#: What can fail only while a code is sent to an account that exists.
DELIVERY_FAILURES = (
    "CodeDeliveryFailureException",
    "InvalidEmailRoleAccessPolicyException",
    "InvalidLambdaResponseException",
    "InvalidSmsRoleAccessPolicyException",
    "InvalidSmsRoleTrustRelationshipException",
    "UnexpectedLambdaException",
    "UserLambdaValidationException",
)

#: For ResendConfirmationCode and ForgotPassword. InvalidParameter: no deliverable address;
#: LimitExceeded: too many codes for one account.
SENDING: ErrorMap = DEFAULT | dict.fromkeys(
    (*ACCOUNT_CODES, "InvalidParameterException", "LimitExceededException", *DELIVERY_FAILURES),
    _always(CodeNotSent),
)
