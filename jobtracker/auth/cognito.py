"""The user pool: what JobTracker asks of AWS Cognito, and what Cognito's errors mean.

Source of calls and errors:
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_Operations.html
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jobtracker.aws import USUAL_TIMEOUTS, Timeouts, make_client
from jobtracker.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    RateLimited,
    Unauthorized,
    Unavailable,
)

log = logging.getLogger(__name__)

# Seconds after which somebody whom Cognito throttles may try again.
THROTTLED_FOR = 30

# One text for a wrong password, an unknown address and a session that is over: none of them tells
# whether there is an account.
WRONG_CREDENTIALS = "These credentials are not valid, or no longer so. Please sign in again."

# Cognito's name of the second factor that we know of.
TOTP = "SOFTWARE_TOKEN_MFA"

NEXT_STEPS = ("MFA_SETUP", "SOFTWARE_TOKEN_MFA", "NEW_PASSWORD_REQUIRED", "CUSTOM_CHALLENGE")


@dataclass(frozen=True)
class Tokens:
    """What a sign-in is worth. ``expires_in`` counts seconds."""

    access_token: str
    id_token: str
    refresh_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 (RFC 6750's name)


@dataclass(frozen=True)
class SignIn:
    """How far a sign-in has come: to tokens, or to Cognito's next challenge."""

    tokens: Tokens | None = None
    challenge_name: str | None = None
    session: str | None = None

    @property
    def status(self) -> str:
        return "OK" if self.tokens else "CHALLENGE"

    @property
    def next_step(self) -> str | None:
        if self.tokens:
            return None
        return self.challenge_name if self.challenge_name in NEXT_STEPS else "UNKNOWN"

    @property
    def message(self) -> str:
        return "Signed in" if self.tokens else "One more step is needed to sign in"


@dataclass(frozen=True)
class Profile:
    """Who an account is, by Cognito's attributes."""

    sub: str
    email: str
    name: str | None


def profile_of(tokens: Tokens) -> Profile:
    """Who signed in.

    The ID token came straight from Cognito over TLS, so its signature need not be checked: OpenID
    Connect Core 1.0, section 3.1.3.7, point 6.
    """
    return _profile(jwt.decode(tokens.id_token, options={"verify_signature": False}))


def _profile(attributes: dict[str, str]) -> Profile:
    return Profile(
        sub=attributes["sub"],
        email=attributes.get("email", "").lower(),
        name=attributes.get("name") or None,
    )


def _throttled(_text: str) -> ApiError:
    return RateLimited(retry_after=THROTTLED_FOR)


def _wrong_code(_text: str) -> ApiError:
    return BadRequest("This code is not correct.", details={"code": "CODE_MISMATCH"})


def _expired_code(_text: str) -> ApiError:
    return BadRequest("This code is no longer valid.", details={"code": "EXPIRED_CODE"})


# Cognito's words for what a password lacks, and those that the SPA knows.
VIOLATIONS = {
    "Password not long enough": "min_length",
    "Password must have uppercase characters": "uppercase",
    "Password must have lowercase characters": "lowercase",
    "Password must have numeric characters": "number",
    "Password must have symbol characters": "special_char",
}


def _weak_password(text: str) -> ApiError:
    # "Password did not conform with policy: Password not long enough": the only one of Cognito's
    # texts that goes out, since it speaks of the password that was just typed and of nothing else.
    violations = [part.strip() for part in text.partition(":")[2].split(";") if part.strip()]
    told = [VIOLATIONS.get(violation, violation) for violation in violations]
    return BadRequest(
        "This password is too weak.",
        details={"code": "WEAK_PASSWORD", "violations": told or ["Choose another password"]},
    )


def _wrong_password(text: str) -> ApiError:
    # The same name stands for somebody who may not even try for now.
    if "attempts exceeded" in text.lower():
        return _throttled(text)
    return BadRequest("The password is not correct.", details={"code": "WRONG_PASSWORD"})


def _no_totp_secret(_text: str) -> ApiError:
    return Conflict("Please begin to set up the authenticator app first.")


def _mfa_is_required(_text: str) -> ApiError:
    return Conflict("A second factor is required here. It cannot be switched off.")


def _wrong_credentials(_text: str) -> ApiError:
    return Unauthorized(WRONG_CREDENTIALS)


def _not_accepted(_text: str) -> ApiError:
    return BadRequest("The sign-in service does not accept this.")


def _not_verified(**details: str) -> ApiError:
    code = "EMAIL_NOT_VERIFIED"
    text = "Please confirm your e-mail address first."
    return Forbidden(text, code=code, details={"code": code, **details})


def _unavailable(_text: str) -> ApiError:
    return Unavailable()


#: What Cognito's errors mean to our client. Those that are not here are a 503.
REFUSALS: dict[str, Callable[[str], ApiError]] = {
    "NotAuthorizedException": _wrong_credentials,
    "UserNotFoundException": _wrong_credentials,
    "UserNotConfirmedException": lambda _: _not_verified(),
    "UsernameExistsException": lambda _: Conflict("There is an account with this address already."),
    "CodeMismatchException": _wrong_code,
    "EnableSoftwareTokenMFAException": _wrong_code,  # VerifySoftwareToken's name for it
    "ExpiredCodeException": _expired_code,
    "InvalidPasswordException": _weak_password,
    "PasswordHistoryPolicyViolationException": _weak_password,
    "InvalidParameterException": _not_accepted,
    "TooManyRequestsException": _throttled,
    "LimitExceededException": _throttled,
    "TooManyFailedAttemptsException": _throttled,
}

# A session that Cognito cannot read, or does not remember, is one that is over.
OF_A_SESSION = {
    "ParamValidationError": _wrong_credentials,
    "ResourceNotFoundException": _wrong_credentials,
}

# Who resets a password has no more to go by than the code: whatever else is not right about the
# account looks like a wrong one.
OF_A_RESET = {
    "UserNotFoundException": _wrong_code,
    "UserNotConfirmedException": _wrong_code,
    "NotAuthorizedException": _wrong_code,
}

# Nothing in a password sign-in or a refresh can be malformed: it is the app client that lacks the
# flow.
OF_THE_APP_CLIENT = {"InvalidParameterException": _unavailable}

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


class UserPool:
    """A Cognito user pool, as its app client. No AWS credentials are needed for these calls.

    All methods raise :class:`~jobtracker.errors.ApiError`: a 4xx for what Cognito refuses, 503 for
    what it cannot do.
    """

    def __init__(
        self,
        *,
        region: str,
        client_id: str,
        endpoint_url: str | None = None,
        timeouts: Timeouts = USUAL_TIMEOUTS,
    ) -> None:
        self.client_id = client_id
        # Nothing is tried twice: most of these calls cannot be, a session is used up by the first.
        self.client = make_client(
            "cognito-idp",
            region=region,
            endpoint_url=endpoint_url,
            config=Config(signature_version=UNSIGNED),
            timeouts=timeouts,
        )

    def sign_up(self, email: str, password: str, name: str) -> bool:
        """Make an account. True when it can be used at once, without a confirmation."""
        answer = self._call(
            "sign_up",
            ClientId=self.client_id,
            Username=email,
            Password=password,
            UserAttributes=[{"Name": "email", "Value": email}, {"Name": "name", "Value": name}],
        )
        return bool(answer["UserConfirmed"])

    def confirm_sign_up(self, email: str, code: str) -> None:
        """Show that the address is theirs, with the code that was sent to it."""
        self._call(
            "confirm_sign_up", ClientId=self.client_id, Username=email, ConfirmationCode=code
        )

    def send_code(self, email: str) -> None:
        """Send the confirmation code again, if there is somebody who waits for one.

        Whether there is such an account, and whether it is confirmed already, shows in nothing.
        """
        self._send("resend_confirmation_code", email)

    def send_reset_code(self, email: str) -> None:
        """Send a code to set a new password with, if there is somebody who may have one.

        Whether there is such an account, and what is to be said of it, shows in nothing.
        """
        self._send("forgot_password", email)

    def _send(self, operation: str, email: str) -> None:
        try:
            self._call(operation, ClientId=self.client_id, Username=email)
        except ApiError as refusal:
            name = _cognito_name(refusal.__cause__)
            if name not in ABOUT_THE_ACCOUNT:
                raise
            log.info("No code was sent by %s: %s", operation, name)

    def reset_password(self, email: str, code: str, new_password: str) -> None:
        """Set a new password, with the code that was sent for it.

        :raises BadRequest: for a wrong code, which that of an unknown account is as well; for one
            that has expired, or a password that is too weak
        """
        self._call(
            "confirm_forgot_password",
            OF_A_RESET,
            ClientId=self.client_id,
            Username=email,
            ConfirmationCode=code,
            Password=new_password,
        )

    def sign_in(self, email: str, password: str) -> SignIn:
        """Sign in with a password.

        :raises Forbidden: EMAIL_NOT_VERIFIED, when the account waits for its confirmation
        """
        return self._try_password(
            email,
            password,
            {"UserNotConfirmedException": lambda _: _not_verified(email=email)},
        )

    def _try_password(
        self, email: str, password: str, refusals: Mapping[str, Callable[[str], ApiError]]
    ) -> SignIn:
        answer = self._call(
            "initiate_auth",
            {**OF_THE_APP_CLIENT, **refusals},
            ClientId=self.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )
        return _sign_in(answer)

    def answer_challenge(
        self, email: str, challenge_name: str, session: str, responses: dict[str, str]
    ) -> SignIn:
        """Go on with a sign-in. The session is that of the last answer."""
        answer = self._call(
            "respond_to_auth_challenge",
            {
                **OF_A_SESSION,
                "UserNotConfirmedException": lambda _: _not_verified(email=email),
            },
            ClientId=self.client_id,
            ChallengeName=challenge_name,
            Session=session,
            ChallengeResponses={"USERNAME": email, **responses},
        )
        return _sign_in(answer)

    def new_totp_secret(self, session: str) -> tuple[str, str]:
        """Begin to set up TOTP: the secret for the authenticator app, and the next session."""
        answer = self._call("associate_software_token", OF_A_SESSION, Session=session)
        return answer["SecretCode"], answer["Session"]

    def verify_totp(
        self, email: str, session: str, code: str, friendly_name: str | None = None
    ) -> SignIn:
        """End to set up TOTP, with a code of the app, and sign in by it."""
        device = {"FriendlyDeviceName": friendly_name} if friendly_name else {}
        answer = self._call(
            "verify_software_token", OF_A_SESSION, Session=session, UserCode=code, **device
        )
        if answer["Status"] != "SUCCESS":
            raise _wrong_code("")
        return self.answer_challenge(email, "MFA_SETUP", answer["Session"], {"ANSWER": "SUCCESS"})

    def refresh(self, refresh_token: str) -> SignIn:
        """New tokens. Cognito sends no new refresh token; the one that came in goes on."""
        answer = self._call(
            "initiate_auth",
            OF_THE_APP_CLIENT,
            ClientId=self.client_id,
            AuthFlow="REFRESH_TOKEN_AUTH",
            AuthParameters={"REFRESH_TOKEN": refresh_token},
        )
        return _sign_in(answer, refresh_token)

    def revoke(self, refresh_token: str) -> None:
        """End the sign-in of a refresh token."""
        self._call("revoke_token", ClientId=self.client_id, Token=refresh_token)

    def change_password(self, access_token: str, current_password: str, new_password: str) -> None:
        """Change the password, and revoke all refresh tokens.

        :raises BadRequest: when the current password is wrong, or the new one too weak
        :raises Unauthorized: when Cognito no longer takes the access token
        """
        self._call(
            "change_password",
            {"NotAuthorizedException": _wrong_current_password},
            AccessToken=access_token,
            PreviousPassword=current_password,
            ProposedPassword=new_password,
        )
        try:
            self._call("global_sign_out", AccessToken=access_token)
        except ApiError as refusal:
            # Whatever it is: told as it is, it would read as if the password had not been changed.
            log.error("A password was changed, but its refresh tokens are not revoked")
            raise Unavailable(
                "Your password was changed, but your other devices may still be signed in."
            ) from refusal

    def mfa_methods(self, access_token: str) -> list[str]:
        """Cognito's names of the factors that a sign-in asks for beside the password."""
        return self._call("get_user", AccessToken=access_token).get("UserMFASettingList", [])

    def new_totp_secret_of(self, access_token: str) -> str:
        """Begin to set up TOTP for who is signed in. Until the end, all is as it was."""
        return self._call("associate_software_token", AccessToken=access_token)["SecretCode"]

    def enable_totp(self, access_token: str, code: str, device_name: str | None) -> None:
        """End to set up TOTP for who is signed in: from now on a sign-in asks for a code.

        :raises BadRequest: for a wrong code
        :raises Conflict: when it was not begun
        """
        device = {"FriendlyDeviceName": device_name} if device_name else {}
        answer = self._call(
            "verify_software_token",
            {"SoftwareTokenMFANotFoundException": _no_totp_secret},
            AccessToken=access_token,
            UserCode=code,
            **device,
        )
        if answer["Status"] != "SUCCESS":
            raise _wrong_code("")
        self._switch_totp(access_token, on=True)

    def disable_totp(self, access_token: str, password: str) -> None:
        """No longer ask for a code at a sign-in.

        :raises BadRequest: when the password is wrong
        :raises Conflict: when the user pool demands a second factor
        """
        self._check_password(self.profile(access_token).email, password)
        self._switch_totp(access_token, on=False)

    def _check_password(self, email: str, password: str) -> None:
        """Tokens and a challenge both say that the password is right; neither is used."""
        sign_in = self._try_password(
            email,
            password,
            {"NotAuthorizedException": _wrong_password, "UserNotFoundException": _wrong_password},
        )
        if sign_in.tokens:
            try:
                self.revoke(sign_in.tokens.refresh_token)
            except ApiError:
                log.error("The tokens of a password check are thrown away, but not revoked")

    def _switch_totp(self, access_token: str, *, on: bool) -> None:
        self._call(
            "set_user_mfa_preference",
            {} if on else {"InvalidParameterException": _mfa_is_required},
            AccessToken=access_token,
            SoftwareTokenMfaSettings={"Enabled": on, "PreferredMfa": on},
        )

    def profile(self, access_token: str) -> Profile:
        """Who the account of an access token is."""
        answer = self._call("get_user", AccessToken=access_token)
        return _profile({item["Name"]: item["Value"] for item in answer["UserAttributes"]})

    def _call(
        self,
        operation: str,
        refusals: Mapping[str, Callable[[str], ApiError]] | None = None,
        /,
        **parameters: Any,
    ) -> dict[str, Any]:
        try:
            return getattr(self.client, operation)(**parameters)
        except (ClientError, BotoCoreError) as error:
            name = _cognito_name(error)
            meaning = {**REFUSALS, **(refusals or {})}.get(name, _unavailable)
            text = error.response["Error"]["Message"] if isinstance(error, ClientError) else ""
            api_error = meaning(text)
            if isinstance(api_error, Unavailable):
                log.error("Cognito %s: %s", operation, name)
            raise api_error from error


def _wrong_current_password(text: str) -> ApiError:
    # The one name stands for two faults; Cognito's text tells them apart.
    if "access token" in text.lower():
        return Unauthorized(WRONG_CREDENTIALS)
    return BadRequest("The current password is not correct.", details={"code": "WRONG_PASSWORD"})


def _cognito_name(error: BaseException | None) -> str:
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"]
    return type(error).__name__


def _sign_in(answer: dict[str, Any], refresh_token: str = "") -> SignIn:
    if result := answer.get("AuthenticationResult"):
        return SignIn(
            tokens=Tokens(
                access_token=result["AccessToken"],
                id_token=result["IdToken"],
                refresh_token=result.get("RefreshToken", refresh_token),
                expires_in=result["ExpiresIn"],
            )
        )
    return SignIn(challenge_name=answer.get("ChallengeName"), session=answer.get("Session"))
