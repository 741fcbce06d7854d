"""What Cognito's errors mean to our client.

Cognito's own texts do not go out: they tell whether there is an account.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_Operations.html
"""

from collections.abc import Callable

from jobtracker.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    RateLimited,
    Unauthorized,
    Unavailable,
)

#: What is made of an error's text.
ErrorFactory = Callable[[str], ApiError]

# Seconds after which somebody whom Cognito throttles may try again.
THROTTLED_FOR = 30

# One text for a wrong password, an unknown address and a session that is over: none of them tells
# whether there is an account.
WRONG_CREDENTIALS = "These credentials are not valid, or no longer so. Please sign in again."


def throttled(_text: str) -> ApiError:
    return RateLimited(retry_after=THROTTLED_FOR)


def wrong_code(_text: str) -> ApiError:
    return BadRequest("This code is not correct.", details={"code": "CODE_MISMATCH"})


def expired_code(_text: str) -> ApiError:
    return BadRequest("This code is no longer valid.", details={"code": "EXPIRED_CODE"})


# Cognito's words for what a password lacks, and those that the SPA knows.
VIOLATIONS = {
    "Password not long enough": "min_length",
    "Password must have uppercase characters": "uppercase",
    "Password must have lowercase characters": "lowercase",
    "Password must have numeric characters": "number",
    "Password must have symbol characters": "special_char",
}


def weak_password(text: str) -> ApiError:
    # "Password did not conform with policy: Password not long enough": the only one of Cognito's
    # texts that goes out, since it speaks of the password that was just typed and of nothing else.
    violations = [part.strip() for part in text.partition(":")[2].split(";") if part.strip()]
    told = [VIOLATIONS.get(violation, violation) for violation in violations]
    return BadRequest(
        "This password is too weak.",
        details={"code": "WEAK_PASSWORD", "violations": told or ["Choose another password"]},
    )


def wrong_password(text: str) -> ApiError:
    # The same name stands for somebody who may not even try for now.
    if "attempts exceeded" in text.lower():
        return throttled(text)
    return BadRequest("The password is not correct.", details={"code": "WRONG_PASSWORD"})


def wrong_current_password(text: str) -> ApiError:
    # The one name stands for two faults; Cognito's text tells them apart.
    if "access token" in text.lower():
        return Unauthorized(WRONG_CREDENTIALS)
    return BadRequest("The current password is not correct.", details={"code": "WRONG_PASSWORD"})


def no_totp_secret(_text: str) -> ApiError:
    return Conflict("Please begin to set up the authenticator app first.")


def mfa_is_required(_text: str) -> ApiError:
    return Conflict("A second factor is required here. It cannot be switched off.")


def wrong_credentials(_text: str) -> ApiError:
    return Unauthorized(WRONG_CREDENTIALS)


def not_accepted(_text: str) -> ApiError:
    return BadRequest("The sign-in service does not accept this.")


def not_verified(**details: str) -> ApiError:
    code = "EMAIL_NOT_VERIFIED"
    text = "Please confirm your e-mail address first."
    return Forbidden(text, code=code, details={"code": code, **details})


def unavailable(_text: str) -> ApiError:
    return Unavailable()


#: What Cognito's errors mean to our client. Those that are not here are a 503.
REFUSALS: dict[str, ErrorFactory] = {
    "NotAuthorizedException": wrong_credentials,
    "UserNotFoundException": wrong_credentials,
    "UserNotConfirmedException": lambda _: not_verified(),
    "UsernameExistsException": lambda _: Conflict("There is an account with this address already."),
    "CodeMismatchException": wrong_code,
    "EnableSoftwareTokenMFAException": wrong_code,  # VerifySoftwareToken's name for it
    "ExpiredCodeException": expired_code,
    "InvalidPasswordException": weak_password,
    "PasswordHistoryPolicyViolationException": weak_password,
    "InvalidParameterException": not_accepted,
    "TooManyRequestsException": throttled,
    "LimitExceededException": throttled,
    "TooManyFailedAttemptsException": throttled,
}

# A session that Cognito cannot read, or does not remember, is one that is over.
OF_A_SESSION = {
    "ParamValidationError": wrong_credentials,
    "ResourceNotFoundException": wrong_credentials,
}

# Who resets a password has no more to go by than the code: whatever else is not right about the
# account looks like a wrong one.
OF_A_RESET = {
    "UserNotFoundException": wrong_code,
    "UserNotConfirmedException": wrong_code,
    "NotAuthorizedException": wrong_code,
}

# Nothing in a password sign-in or a refresh can be malformed: it is the app client that lacks the
# flow.
OF_THE_APP_CLIENT = {"InvalidParameterException": unavailable}

# What ResendConfirmationCode and ForgotPassword say of one account: nobody there, confirmed already
# or not yet, no address to write to, mail bounced, asked too often. To tell any of it would tell
# whether there is an account.
ABOUT_THE_ACCOUNT = {
    "UserNotFoundException",
    "UserNotConfirmedException",
    "NotAuthorizedException",
    "InvalidParameterException",
    "CodeDeliveryFailureException",
    "LimitExceededException",
}
