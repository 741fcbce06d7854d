"""The user pool: what JobTracker asks of AWS Cognito.

Source of calls and errors:
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_Operations.html
"""

import logging
from collections.abc import Mapping
from typing import Any

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jobtracker.auth import cognito_errors
from jobtracker.auth.sign_in import Profile, SignIn, profile_from, sign_in_of
from jobtracker.aws import USUAL_TIMEOUTS, Timeouts, make_client
from jobtracker.errors import ApiError, Unavailable

log = logging.getLogger(__name__)

# Cognito's name of the second factor that we know of.
TOTP = "SOFTWARE_TOKEN_MFA"


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
            if name not in cognito_errors.ABOUT_THE_ACCOUNT:
                raise
            log.info("No code was sent by %s: %s", operation, name)

    def reset_password(self, email: str, code: str, new_password: str) -> None:
        """Set a new password, with the code that was sent for it.

        :raises BadRequest: for a wrong code, which that of an unknown account is as well; for one
            that has expired, or a password that is too weak
        """
        self._call(
            "confirm_forgot_password",
            cognito_errors.OF_A_RESET,
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
            {"UserNotConfirmedException": lambda _: cognito_errors.not_verified(email=email)},
        )

    def _try_password(
        self, email: str, password: str, special: Mapping[str, cognito_errors.ErrorFactory]
    ) -> SignIn:
        answer = self._call(
            "initiate_auth",
            {**cognito_errors.OF_THE_APP_CLIENT, **special},
            ClientId=self.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )
        return sign_in_of(answer)

    def answer_challenge(
        self, email: str, challenge_name: str, session: str, responses: dict[str, str]
    ) -> SignIn:
        """Go on with a sign-in. The session is that of the last answer."""
        answer = self._call(
            "respond_to_auth_challenge",
            {
                **cognito_errors.OF_A_SESSION,
                "UserNotConfirmedException": lambda _: cognito_errors.not_verified(email=email),
            },
            ClientId=self.client_id,
            ChallengeName=challenge_name,
            Session=session,
            ChallengeResponses={"USERNAME": email, **responses},
        )
        return sign_in_of(answer)

    def new_totp_secret(self, session: str) -> tuple[str, str]:
        """Begin to set up TOTP: the secret for the authenticator app, and the next session."""
        answer = self._call(
            "associate_software_token", cognito_errors.OF_A_SESSION, Session=session
        )
        return answer["SecretCode"], answer["Session"]

    def verify_totp(
        self, email: str, session: str, code: str, friendly_name: str | None = None
    ) -> SignIn:
        """End to set up TOTP, with a code of the app, and sign in by it."""
        device = {"FriendlyDeviceName": friendly_name} if friendly_name else {}
        answer = self._call(
            "verify_software_token",
            cognito_errors.OF_A_SESSION,
            Session=session,
            UserCode=code,
            **device,
        )
        if answer["Status"] != "SUCCESS":
            raise cognito_errors.wrong_code("")
        return self.answer_challenge(email, "MFA_SETUP", answer["Session"], {"ANSWER": "SUCCESS"})

    def refresh(self, refresh_token: str) -> SignIn:
        """New tokens. Cognito sends no new refresh token; the one that came in goes on."""
        answer = self._call(
            "initiate_auth",
            cognito_errors.OF_THE_APP_CLIENT,
            ClientId=self.client_id,
            AuthFlow="REFRESH_TOKEN_AUTH",
            AuthParameters={"REFRESH_TOKEN": refresh_token},
        )
        return sign_in_of(answer, refresh_token)

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
            {"NotAuthorizedException": cognito_errors.wrong_current_password},
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
            {"SoftwareTokenMFANotFoundException": cognito_errors.no_totp_secret},
            AccessToken=access_token,
            UserCode=code,
            **device,
        )
        if answer["Status"] != "SUCCESS":
            raise cognito_errors.wrong_code("")
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
            {
                "NotAuthorizedException": cognito_errors.wrong_password,
                "UserNotFoundException": cognito_errors.wrong_password,
            },
        )
        if sign_in.tokens:
            try:
                self.revoke(sign_in.tokens.refresh_token)
            except ApiError:
                log.error("The tokens of a password check are thrown away, but not revoked")

    def _switch_totp(self, access_token: str, *, on: bool) -> None:
        self._call(
            "set_user_mfa_preference",
            {} if on else {"InvalidParameterException": cognito_errors.mfa_is_required},
            AccessToken=access_token,
            SoftwareTokenMfaSettings={"Enabled": on, "PreferredMfa": on},
        )

    def profile(self, access_token: str) -> Profile:
        """Who the account of an access token is."""
        answer = self._call("get_user", AccessToken=access_token)
        return profile_from({item["Name"]: item["Value"] for item in answer["UserAttributes"]})

    def _call(
        self,
        operation: str,
        special: Mapping[str, cognito_errors.ErrorFactory] | None = None,
        /,
        **parameters: Any,
    ) -> dict[str, Any]:
        try:
            return getattr(self.client, operation)(**parameters)
        except (ClientError, BotoCoreError) as error:
            name = _cognito_name(error)
            meaning = {**cognito_errors.REFUSALS, **(special or {})}.get(
                name, cognito_errors.unavailable
            )
            text = error.response["Error"]["Message"] if isinstance(error, ClientError) else ""
            api_error = meaning(text)
            if isinstance(api_error, Unavailable):
                log.error("Cognito %s: %s", operation, name)
            raise api_error from error


def _cognito_name(error: BaseException | None) -> str:
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"]
    return type(error).__name__
