"""The client of the Cognito user pool."""

import base64
import contextlib
import hmac
import logging
import time
from collections.abc import Hashable, Mapping
from typing import Any

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jobtracker.auth import cognito_errors
from jobtracker.auth.account_cache import AccountCache
from jobtracker.auth.clock import CognitoClock
from jobtracker.auth.cognito_configuration import (
    HINTS,
    SecretRejected,
    misconfiguration,
    undelivered,
)
from jobtracker.auth.cognito_errors import ErrorMap
from jobtracker.auth.sign_in import Account, Profile, SignIn, required_member
from jobtracker.aws import error_code, error_message, make_client, with_hint
from jobtracker.environment import read_again
from jobtracker.errors import ApiError, BadRequest, RateLimited, Unavailable
from jobtracker.logs.outages import log_outage

log = logging.getLogger(__name__)

TOTP = "SOFTWARE_TOKEN_MFA"  # the only second factor that can be set up here


class UserPool:
    """A Cognito user pool, as seen by an app client; its operations need no AWS credentials.

    Every method raises :class:`~jobtracker.errors.ApiError`: 4xx for what Cognito rejects (see
    :mod:`~jobtracker.auth.cognito_errors`), 503 when it fails or does not respond.

    :param client_secret: None for an app client without one, a public client
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str | None = None,
        *,
        clock: CognitoClock | None = None,
        **options: Any,
    ) -> None:
        self.client_id, self.client_secret = client_id, client_secret
        self.clock = clock or CognitoClock()
        # No retries: most of these operations are not idempotent, since a session is valid once.
        config = Config(signature_version=UNSIGNED)
        self.client = make_client("cognito-idp", config=config, **options)
        self._accounts = AccountCache()

    def sign_up(self, email: str, password: str, name: str) -> bool:
        """Create an account, and return whether it is confirmed already."""
        attributes = [{"Name": "email", "Value": email}, {"Name": "name", "Value": name}]
        user = {"Username": email, "Password": password, "UserAttributes": attributes}
        response = self._call_client("sign_up", cognito_errors.SIGN_UP, **user)
        return bool(response.get("UserConfirmed"))

    def confirm_sign_up(self, email: str, code: str) -> None:
        """Confirm the address of an account with the code that was sent to it; BadRequest for a
        wrong or expired code, an unknown account and one that is confirmed (AlreadyConfirmed)."""
        form = {"Username": email, "ConfirmationCode": code}
        self._call_client("confirm_sign_up", cognito_errors.CONFIRM_SIGN_UP, **form)

    def resend_confirmation_code(self, email: str) -> None:
        """Send the confirmation code again; succeeds whatever the state of the account."""
        self._send_code("resend_confirmation_code", email)

    def forgot_password(self, email: str) -> None:
        """Send a code for a new password; succeeds whatever the state of the account."""
        self._send_code("forgot_password", email)

    def _send_code(self, operation: str, email: str) -> None:
        try:
            self._call_client(operation, cognito_errors.SENDING, Username=email)
        except cognito_errors.CodeNotSent as error:
            code = error_code(error.__cause__)
            fault = undelivered(error_message(error.__cause__))
            if fault is None and code in cognito_errors.DELIVERY_FAILURES:
                fault = with_hint(code, HINTS)
            # The others are about an account, by codes that mean another thing elsewhere.
            level = logging.ERROR if fault else logging.INFO
            log.log(level, "Cognito %s sent no code: %s", operation, fault or code)

    def reset_password(self, email: str, code: str, new_password: str) -> str | None:
        """Set a new password with the code that was sent for it, and revoke all refresh tokens;
        BadRequest for a wrong or expired code, an unknown account or a weak password.

        ConfirmForgotPassword revokes nothing and GlobalSignOut takes an access token: it comes from
        a sign-in, unless that leads to a challenge.

        :returns: the ``sub`` of the account, if the sign-in succeeded
        """
        form = {"Username": email, "ConfirmationCode": code, "Password": new_password}
        errors = cognito_errors.CONFIRM_FORGOT_PASSWORD
        self._call_client("confirm_forgot_password", errors, **form)
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
        """Continue a sign-in with the session of the previous response; the username is the
        address, whatever ``USERNAME`` the responses have."""
        errors = cognito_errors.with_email(email, cognito_errors.SESSION)
        response = self._call_client(
            "respond_to_auth_challenge",
            errors,
            ChallengeName=challenge_name,
            Session=session,
            ChallengeResponses={**responses, "USERNAME": email},
        )
        return SignIn.from_response(response)

    def refresh(self, refresh_token: str) -> SignIn:
        """Get new access and ID tokens, and a new refresh token if the app client rotates them.

        REFRESH_TOKEN_AUTH would need the username, for SECRET_HASH, and excludes rotation:
        https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-refresh-token.html
        """
        errors, token = cognito_errors.REFRESH, {"RefreshToken": refresh_token}
        response = self._call_client("get_tokens_from_refresh_token", errors, **token)
        return SignIn.from_response(response, refresh_token)

    def revoke(self, refresh_token: str) -> None:
        self._call_client("revoke_token", Token=refresh_token)

    def change_password(self, access_token: str, current_password: str, new_password: str) -> None:
        """Change the password; BadRequest for a wrong current one or a weak new one."""
        passwords = {"PreviousPassword": current_password, "ProposedPassword": new_password}
        errors = cognito_errors.CHANGE_PASSWORD
        self._call("change_password", errors, AccessToken=access_token, **passwords)

    def sign_out_everywhere(self, access_token: str) -> None:
        """Revoke all refresh tokens of the account, and at Cognito all access tokens."""
        self._call("global_sign_out", AccessToken=access_token)

    def get_user(self, access_token: str) -> Account:
        return Account.from_response(self._call("get_user", AccessToken=access_token))

    def cached_user(self, access_token: str, version: Hashable = None) -> Account:
        """As :meth:`get_user`, up to :data:`~jobtracker.auth.account_cache.TTL` seconds ago.

        :param version: something that changes with the account
        """
        return self._accounts.get(access_token, version, self.get_user)

    def associate_totp_in_sign_in(self, session: str) -> tuple[str, str]:
        """Begin to set up TOTP for the challenge MFA_SETUP; returns the secret and a session."""
        response = self._call("associate_software_token", cognito_errors.SESSION, Session=session)
        return required_member(response, "SecretCode"), required_member(response, "Session")

    def verify_totp_in_sign_in(
        self, email: str, session: str, code: str, friendly_name: str | None = None
    ) -> SignIn:
        """Complete the set-up with a code of the app, and answer the challenge MFA_SETUP."""
        errors = cognito_errors.with_email(email, cognito_errors.SESSION)
        response = self._verify_totp(errors, code, friendly_name, Session=session)
        session = required_member(response, "Session")
        sign_in = self.answer_challenge(email, "MFA_SETUP", session, {"ANSWER": "SUCCESS"})
        if sign_in.tokens:
            try:
                # GetUser lists what is set: the password is required before it is replaced.
                self._set_totp_preference(sign_in.tokens.access_token, enabled=True)
            except ApiError:
                log.error("TOTP was set up, but is not listed as enabled")
        return sign_in

    def associate_totp(self, access_token: str, password: str | None = None) -> str:
        """Begin to set up TOTP for a user who is signed in; returns the secret.

        :param password: required where a second factor is enabled, which this one would replace
        :raises Forbidden: PASSWORD_REQUIRED, when it is required and None
        :raises BadRequest: WRONG_PASSWORD, when it is wrong
        """
        account = self.get_user(access_token)
        if password is not None:
            self._end_check(self._check_password(access_token, account, password))
        elif account.mfa_methods:
            raise cognito_errors.password_required("")
        return required_member(
            self._call("associate_software_token", AccessToken=access_token), "SecretCode"
        )

    def enable_totp(self, access_token: str, code: str, friendly_name: str | None = None) -> None:
        """Complete the set-up with a code of the app, and require TOTP at sign-in; BadRequest for
        a wrong code, Conflict when the set-up was not begun."""
        errors = cognito_errors.ENABLE_TOTP
        self._verify_totp(errors, code, friendly_name, AccessToken=access_token)
        self._set_totp_preference(access_token, enabled=True)

    def disable_totp(self, access_token: str, password: str) -> None:
        """No longer require TOTP at sign-in; BadRequest for a wrong password, Conflict when the
        user pool requires MFA."""
        account = self.get_user(access_token)
        self._end_check(self._check_password(access_token, account, password))
        self._set_totp_preference(access_token, enabled=False)

    def reauthenticate(self, access_token: str, password: str, code: str | None = None) -> None:
        """Check the password of a user who is signed in, and the code of TOTP if that is enabled.

        :raises BadRequest: for a wrong password (WRONG_PASSWORD) or code
        :raises Forbidden: CODE_REQUIRED, when the code is required and None
        :raises Unauthorized: when the account was deleted or disabled concurrently
        """
        account = self.get_user(access_token)
        email = account.profile.email
        sign_in = self._check_password(access_token, account, password)
        if sign_in.challenge_name == TOTP:
            if code is None:
                raise cognito_errors.code_required("")
            responses = {"SOFTWARE_TOKEN_MFA_CODE": code}
            session = required_member({"Session": sign_in.session}, "Session")
            sign_in = self.answer_challenge(email, TOTP, session, responses)
        self._end_check(sign_in)

    def delete_user(self, access_token: str) -> None:
        self._call("delete_user", AccessToken=access_token)

    def _check_password(self, access_token: str, account: Account, password: str) -> SignIn:
        """Check the password of a user who is signed in: either outcome, tokens or a challenge,
        shows that it is correct.

        :raises BadRequest: WRONG_PASSWORD, when it is wrong
        :raises Unauthorized: when the account was deleted or disabled concurrently
        """
        errors, email = cognito_errors.PASSWORD_CHECK, account.profile.email
        try:
            return self._password_auth(errors, email, password)
        except BadRequest:
            # Cognito's response is the same where the account is gone. A fault of GetUser must not
            # hide the wrong password, nor keep it out of the audit.
            with contextlib.suppress(RateLimited, Unavailable):
                self.get_user(access_token)
            raise

    def _end_check(self, sign_in: SignIn) -> None:
        if sign_in.tokens:
            try:
                self.revoke(sign_in.tokens.refresh_token)
            except ApiError:
                log.error("The refresh token of a password check is not revoked")

    def _verify_totp(
        self, errors: ErrorMap, code: str, friendly_name: str | None, **parameters: str
    ) -> dict[str, Any]:
        if friendly_name:
            parameters["FriendlyDeviceName"] = friendly_name
        response = self._call("verify_software_token", errors, UserCode=code, **parameters)
        if response.get("Status") != "SUCCESS":
            raise cognito_errors.wrong_code("")
        return response

    def _set_totp_preference(self, access_token: str, *, enabled: bool) -> None:
        errors = cognito_errors.DEFAULT if enabled else cognito_errors.DISABLE_TOTP
        totp = {"SoftwareTokenMfaSettings": {"Enabled": enabled, "PreferredMfa": enabled}}
        self._call("set_user_mfa_preference", errors, AccessToken=access_token, **totp)

    def _password_auth(self, errors: ErrorMap, email: str, password: str) -> SignIn:
        parameters = {"USERNAME": email, "PASSWORD": password}
        request = {"AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters}
        response = self._call_client("initiate_auth", errors, **request)
        return SignIn.from_response(response)

    def _call_client(
        self, operation: str, errors: ErrorMap = cognito_errors.DEFAULT, /, **parameters: Any
    ) -> dict[str, Any]:
        """Call an operation of the app client; again when its secret is rejected, if that is
        another one by now: it was rotated."""
        secret = self.client_secret
        try:
            return self._call(operation, errors, **self._with_secret(secret, parameters))
        except SecretRejected:
            self.client_secret = read_again(secret)
            if self.client_secret == secret:
                raise
            parameters = self._with_secret(self.client_secret, parameters)
            return self._call(operation, errors, **parameters)

    def _with_secret(self, secret: str | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters with those by which the app client authenticates: a hash for a username (the
        address, as the request has it, not the ``sub``), the secret itself without one.

        https://docs.aws.amazon.com/cognito/latest/developerguide/signing-up-users-in-your-app.html#cognito-user-pools-computing-secret-hash
        """
        known = {"ClientId": self.client_id, **parameters}
        if secret is None:
            return known
        if "Username" in known:
            return {**known, "SecretHash": self._secret_hash(secret, known["Username"])}
        for name in ("AuthParameters", "ChallengeResponses"):
            if name in known:
                form = known[name]
                secret_hash = self._secret_hash(secret, form["USERNAME"])
                return {**known, name: {**form, "SECRET_HASH": secret_hash}}
        return {**known, "ClientSecret": secret}

    def _secret_hash(self, secret: str, username: str) -> str:
        digest = hmac.digest(secret.encode(), (username + self.client_id).encode(), "sha256")
        return base64.b64encode(digest).decode()

    def _call(
        self, operation: str, errors: ErrorMap = cognito_errors.DEFAULT, /, **parameters: Any
    ) -> dict[str, Any]:
        sent_at = time.time()
        try:
            response: dict[str, Any] = getattr(self.client, operation)(**parameters)
            self.clock.read(response, sent_at)
            return response
        except (ClientError, BotoCoreError) as error:
            code, message = error_code(error), error_message(error)
            if isinstance(error, ClientError):
                self.clock.read(error.response, sent_at)
            if "AccessToken" in parameters and (
                rejected := cognito_errors.rejected_access_token(code, message)
            ):
                raise rejected from error
            if hint := misconfiguration(message):
                log_outage(log, "Cognito", "Cognito %s: %s", operation, hint)
                raise (SecretRejected if hint == SecretRejected.hint else Unavailable) from error
            api_error = errors.get(code, cognito_errors.unavailable)(message)
            if isinstance(api_error, Unavailable):
                log_outage(log, "Cognito", "Cognito %s: %s", operation, with_hint(code, HINTS))
            raise api_error from error
