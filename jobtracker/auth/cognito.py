"""The client of the Cognito user pool."""

import logging
from typing import Any

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jobtracker.auth import cognito_errors
from jobtracker.auth.cognito_errors import ErrorMap
from jobtracker.auth.sign_in import Profile, SignIn
from jobtracker.aws import error_code, make_client
from jobtracker.errors import ApiError, Unavailable

log = logging.getLogger(__name__)

TOTP = "SOFTWARE_TOKEN_MFA"  # the only second factor that can be set up here


class UserPool:
    """A Cognito user pool, as seen by an app client; its operations need no AWS credentials.

    Every method raises :class:`~jobtracker.errors.ApiError`: 4xx for what Cognito rejects (see
    :mod:`~jobtracker.auth.cognito_errors`), 503 when it fails or does not respond.
    """

    def __init__(self, client_id: str, **options: Any) -> None:
        self.client_id = client_id
        # No retries: most of these operations are not idempotent, since a session is valid once.
        config = Config(signature_version=UNSIGNED)
        self.client = make_client("cognito-idp", config=config, **options)

    def sign_up(self, email: str, password: str, name: str) -> bool:
        """Create an account, and return whether it is confirmed already."""
        attributes = [{"Name": "email", "Value": email}, {"Name": "name", "Value": name}]
        user = {"Username": email, "Password": password, "UserAttributes": attributes}
        return bool(self._call_with_client_id("sign_up", **user)["UserConfirmed"])

    def confirm_sign_up(self, email: str, code: str) -> None:
        self._call_with_client_id("confirm_sign_up", Username=email, ConfirmationCode=code)

    def resend_confirmation_code(self, email: str) -> None:
        """Send the confirmation code again; succeeds whatever the state of the account."""
        self._send_code("resend_confirmation_code", email)

    def forgot_password(self, email: str) -> None:
        """Send a code for a new password; succeeds whatever the state of the account."""
        self._send_code("forgot_password", email)

    def _send_code(self, operation: str, email: str) -> None:
        try:
            self._call_with_client_id(operation, Username=email)
        except ApiError as error:
            code = error_code(error.__cause__)
            if code not in cognito_errors.IGNORED_WHEN_SENDING:
                raise
            log.info("Cognito %s sent no code: %s", operation, code)

    def reset_password(self, email: str, code: str, new_password: str) -> str | None:
        """Set a new password with the code that was sent for it, and revoke all refresh tokens;
        BadRequest for a wrong or expired code, an unknown account or a weak password.

        ConfirmForgotPassword revokes nothing and GlobalSignOut takes an access token: it comes from
        a sign-in, unless that leads to a challenge.

        :returns: the ``sub`` of the account, if the sign-in succeeded
        """
        form = {"Username": email, "ConfirmationCode": code, "Password": new_password}
        self._call_with_client_id("confirm_forgot_password", cognito_errors.PASSWORD_RESET, **form)
        try:
            tokens = self._password_auth(cognito_errors.DEFAULT, email, new_password).tokens
            if tokens is None:
                return None
            self.sign_out_everywhere(tokens.access_token)
        except ApiError:
            log.error("A password was reset, but its refresh tokens are not revoked")
            return None
        return Profile.from_id_token(tokens.id_token).sub

    def sign_in(self, email: str, password: str) -> SignIn:
        """Sign in with a password; Forbidden (EMAIL_NOT_VERIFIED) for an unconfirmed account."""
        errors = cognito_errors.with_email(email, cognito_errors.INITIATE_AUTH)
        return self._password_auth(errors, email, password)

    def answer_challenge(
        self, email: str, challenge_name: str, session: str, responses: dict[str, str]
    ) -> SignIn:
        """Continue a sign-in with the session of the previous response."""
        errors = cognito_errors.with_email(email, cognito_errors.SESSION)
        challenge = {"ChallengeName": challenge_name, "Session": session}
        answer = {"ChallengeResponses": {"USERNAME": email, **responses}, **challenge}
        response = self._call_with_client_id("respond_to_auth_challenge", errors, **answer)
        return SignIn.from_response(response)

    def refresh(self, refresh_token: str) -> SignIn:
        """Get new access and ID tokens; the refresh token remains valid."""
        errors = cognito_errors.INITIATE_AUTH
        return self._initiate_auth("REFRESH_TOKEN_AUTH", errors, REFRESH_TOKEN=refresh_token)

    def revoke(self, refresh_token: str) -> None:
        self._call_with_client_id("revoke_token", Token=refresh_token)

    def change_password(self, access_token: str, current_password: str, new_password: str) -> None:
        """Change the password; BadRequest for a wrong current one or a weak new one."""
        passwords = {"PreviousPassword": current_password, "ProposedPassword": new_password}
        errors = cognito_errors.CHANGE_PASSWORD
        self._call("change_password", errors, AccessToken=access_token, **passwords)

    def sign_out_everywhere(self, access_token: str) -> None:
        """Revoke all refresh tokens of the account, and at Cognito all access tokens."""
        self._call("global_sign_out", AccessToken=access_token)

    def profile(self, access_token: str) -> Profile:
        attributes = self._call("get_user", AccessToken=access_token)["UserAttributes"]
        return Profile.from_attributes({item["Name"]: item["Value"] for item in attributes})

    def mfa_methods(self, access_token: str) -> list[str]:
        """Get Cognito's names of the second factors that are enabled."""
        return self._call("get_user", AccessToken=access_token).get("UserMFASettingList", [])

    def associate_totp_in_sign_in(self, session: str) -> tuple[str, str]:
        """Begin to set up TOTP for the challenge MFA_SETUP; returns the secret and a session."""
        response = self._call("associate_software_token", cognito_errors.SESSION, Session=session)
        return response["SecretCode"], response["Session"]

    def verify_totp_in_sign_in(
        self, email: str, session: str, code: str, friendly_name: str | None = None
    ) -> SignIn:
        """Complete the set-up with a code of the app, and answer the challenge MFA_SETUP."""
        response = self._verify_totp(cognito_errors.SESSION, code, friendly_name, Session=session)
        session = response["Session"]
        return self.answer_challenge(email, "MFA_SETUP", session, {"ANSWER": "SUCCESS"})

    def associate_totp(self, access_token: str) -> str:
        """Begin to set up TOTP for a user who is signed in; returns the secret."""
        return self._call("associate_software_token", AccessToken=access_token)["SecretCode"]

    def enable_totp(self, access_token: str, code: str, friendly_name: str | None = None) -> None:
        """Complete the set-up with a code of the app, and require TOTP at sign-in; BadRequest for
        a wrong code, Conflict when the set-up was not begun."""
        errors = cognito_errors.ENABLE_TOTP
        self._verify_totp(errors, code, friendly_name, AccessToken=access_token)
        self._set_totp_preference(access_token, enabled=True)

    def disable_totp(self, access_token: str, password: str) -> None:
        """No longer require TOTP at sign-in; BadRequest for a wrong password, Conflict when the
        user pool requires MFA."""
        # Either outcome, tokens or a challenge, shows that the password is correct.
        email = self.profile(access_token).email
        sign_in = self._password_auth(cognito_errors.PASSWORD_CHECK, email, password)
        if sign_in.tokens:
            try:
                self.revoke(sign_in.tokens.refresh_token)
            except ApiError:
                log.error("The refresh token of a password check is not revoked")
        self._set_totp_preference(access_token, enabled=False)

    def _verify_totp(
        self, errors: ErrorMap, code: str, friendly_name: str | None, **parameters: str
    ) -> dict[str, Any]:
        if friendly_name:
            parameters["FriendlyDeviceName"] = friendly_name
        response = self._call("verify_software_token", errors, UserCode=code, **parameters)
        if response["Status"] != "SUCCESS":
            raise cognito_errors.wrong_code("")
        return response

    def _set_totp_preference(self, access_token: str, *, enabled: bool) -> None:
        errors = cognito_errors.DEFAULT if enabled else cognito_errors.DISABLE_TOTP
        totp = {"SoftwareTokenMfaSettings": {"Enabled": enabled, "PreferredMfa": enabled}}
        self._call("set_user_mfa_preference", errors, AccessToken=access_token, **totp)

    def _password_auth(self, errors: ErrorMap, email: str, password: str) -> SignIn:
        return self._initiate_auth("USER_PASSWORD_AUTH", errors, USERNAME=email, PASSWORD=password)

    def _initiate_auth(self, flow: str, errors: ErrorMap, **parameters: str) -> SignIn:
        request = {"AuthFlow": flow, "AuthParameters": parameters}
        response = self._call_with_client_id("initiate_auth", errors, **request)
        # Cognito sends no new refresh token for the current one.
        return SignIn.from_response(response, parameters.get("REFRESH_TOKEN", ""))

    def _call_with_client_id(
        self, operation: str, errors: ErrorMap = cognito_errors.DEFAULT, /, **parameters: Any
    ) -> dict[str, Any]:
        return self._call(operation, errors, ClientId=self.client_id, **parameters)

    def _call(
        self, operation: str, errors: ErrorMap = cognito_errors.DEFAULT, /, **parameters: Any
    ) -> dict[str, Any]:
        try:
            return getattr(self.client, operation)(**parameters)
        except (ClientError, BotoCoreError) as error:
            code = error_code(error)
            message = error.response["Error"]["Message"] if isinstance(error, ClientError) else ""
            if "AccessToken" in parameters and (
                rejected := cognito_errors.rejected_access_token(code, message)
            ):
                raise rejected from error
            api_error = errors.get(code, cognito_errors.unavailable)(message)
            if isinstance(api_error, Unavailable):
                log.error("Cognito %s: %s", operation, code)
            raise api_error from error
