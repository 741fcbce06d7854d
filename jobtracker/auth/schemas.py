"""The JSON of sign-up and sign-in."""

from typing import Any

import colander
from colander import SchemaNode

from jobtracker import fields
from jobtracker.users.schemas import MAX_PASSWORD

NO_BLANKS = "[!-~]+"  # printable ASCII
# Limits are those of Cognito's API reference. It has none for tokens, of about 2,000 characters.
MAX_TOKEN = 8192
PASSWORD = fields.RawText(max=MAX_PASSWORD)
CODE = fields.Code(max=2048)
TOTP_CODE = fields.Code(digits=6)
REFRESH_TOKEN = fields.Text(
    max=MAX_TOKEN, pattern=NO_BLANKS, hint="Must be one that a sign-in returned."
)
SESSION = fields.RawText(max=2048)
LABEL = fields.Text(max=255)


class ChallengeResponses(fields.TextMap):
    """The answer to a challenge, by Cognito's names; codes (``SOFTWARE_TOKEN_MFA_CODE``, for
    example) are normalized."""

    def parse(self, node: Any, value: Any) -> dict[str, str]:
        return {
            name: fields.normalized_code(text) if name.endswith("_CODE") else text
            for name, text in super().parse(node, value).items()
        }


class EmailIn(fields.Schema):
    example = {"email": "ada@example.com"}

    email = SchemaNode(fields.Email(), title="e-mail address")


class LoginIn(EmailIn):
    example = {**EmailIn.example, "password": "Lovelace-1815"}

    password = SchemaNode(PASSWORD)


class SignUpIn(LoginIn):
    example = {**LoginIn.example, "name": "Ada", "turnstile_token": "XXXX.DUMMY.TOKEN.XXXX"}

    name = SchemaNode(fields.Text(max=100))
    turnstile_token = SchemaNode(fields.Text(max=2048), title="CAPTCHA")  # Cloudflare's limit


class ConfirmIn(EmailIn):
    example = {**EmailIn.example, "code": "123456"}

    code = SchemaNode(CODE)


class ResetPasswordIn(ConfirmIn):
    example = {**ConfirmIn.example, "new_password": "Lovelace-1852"}

    new_password = SchemaNode(PASSWORD)


class ChallengeIn(EmailIn):
    example = {
        **EmailIn.example,
        "challenge_name": "SOFTWARE_TOKEN_MFA",
        "session": "AYABeEv3cZ5kQ2pLr0mXw…",
        "responses": {"SOFTWARE_TOKEN_MFA_CODE": "123456"},
    }

    challenge_name = SchemaNode(
        fields.Text(max=64, pattern="[A-Z_]+", hint="Must be Cognito's name.")
    )
    session = SchemaNode(SESSION)
    responses = SchemaNode(ChallengeResponses(max_entries=20, max_text=MAX_TOKEN))

    def validator(self, node: Any, form: dict[str, Any]) -> None:
        """Reject another account in ``responses``: attempts are counted by ``email``."""
        if form["responses"].get("USERNAME", form["email"]).strip().lower() != form["email"]:
            error = colander.Invalid(node)
            hint = "Must have the e-mail address as USERNAME, or none."
            error.add(fields.InvalidValue(node["responses"], hint, "username_mismatch"))
            raise error


class MfaSetupIn(fields.Schema):
    session = SchemaNode(SESSION)
    label = SchemaNode(LABEL, missing=None)


class MfaVerifyIn(EmailIn):
    example = {
        **EmailIn.example,
        "session": "AYABeEv3cZ5kQ2pLr0mXw…",
        "code": "123456",
        "friendly_name": "Phone",
    }

    session = SchemaNode(SESSION)
    code = SchemaNode(TOTP_CODE)
    friendly_name = SchemaNode(LABEL, title="name of the device", missing=None)


class RefreshIn(fields.Schema):
    refresh_token = SchemaNode(REFRESH_TOKEN)


class LogoutIn(fields.Schema):
    refresh_token = SchemaNode(REFRESH_TOKEN, missing=None)


class StatusOut(fields.Schema):
    status = SchemaNode(fields.Text())
    message = SchemaNode(fields.Text())


class MfaSetupOut(fields.Schema):
    secret_code = SchemaNode(fields.Text())
    otpauth_uri = SchemaNode(fields.Text())
    session = SchemaNode(fields.Text())


class TokensOut(fields.Schema):
    access_token = SchemaNode(fields.Text())
    id_token = SchemaNode(fields.Text())
    refresh_token = SchemaNode(fields.Text())
    expires_in = SchemaNode(fields.Integer())
    token_type = SchemaNode(fields.Text())


class SignInOut(StatusOut):
    next_step = SchemaNode(fields.Text(), nullable=True)
    challenge_name = SchemaNode(fields.Text(), nullable=True)
    session = SchemaNode(fields.Text(), nullable=True)
    tokens = SchemaNode(fields.Nested(TokensOut()), nullable=True)
