"""Sign-up and sign-in on the wire."""

from typing import Any

from colander import SchemaNode

from jobtracker.fields import Email, Integer, Nested, RawText, Schema, Text, TextMap
from jobtracker.users.schemas import MAX_PASSWORD

# Characters, by Cognito's API reference; of tokens it states no bound, theirs have about 2,000.
MAX_CODE = 2048
MAX_SESSION = 2048
MAX_TOKEN = 8192

NO_BLANKS = "[!-~]+"  # of ASCII, as all codes and tokens are


def _code() -> SchemaNode:
    return SchemaNode(Text(max=MAX_CODE, pattern=NO_BLANKS, hint="Must not contain blanks."))


def totp_code() -> SchemaNode:
    """What an authenticator app shows."""
    return SchemaNode(Text(pattern="[0-9]{6}", hint="Must be six digits."))


def _refresh_token(**options: Any) -> SchemaNode:
    text = Text(max=MAX_TOKEN, pattern=NO_BLANKS, hint="Must be a token.")
    return SchemaNode(text, **options)


def _session() -> SchemaNode:
    return SchemaNode(RawText(max=MAX_SESSION))


class SignUpIn(Schema):
    example = {
        "email": "ada@example.com",
        "password": "Lovelace-1815",
        "name": "Ada",
        "turnstile_token": "XXXX.DUMMY.TOKEN.XXXX",
    }

    email = SchemaNode(Email())
    password = SchemaNode(RawText(max=MAX_PASSWORD))
    name = SchemaNode(Text(max=100))
    turnstile_token = SchemaNode(Text(max=2048))  # Cloudflare's bound


class StatusOut(Schema):
    status = SchemaNode(Text())
    message = SchemaNode(Text())


class ConfirmIn(Schema):
    example = {"email": "ada@example.com", "code": "123456"}

    email = SchemaNode(Email())
    code = _code()


class EmailIn(Schema):
    example = {"email": "ada@example.com"}

    email = SchemaNode(Email())


class ResetPasswordIn(Schema):
    example = {"email": "ada@example.com", "code": "123456", "new_password": "Lovelace-1852"}

    email = SchemaNode(Email())
    code = _code()
    new_password = SchemaNode(RawText(max=MAX_PASSWORD))


class LoginIn(Schema):
    example = {"email": "ada@example.com", "password": "Lovelace-1815"}

    email = SchemaNode(Email())
    password = SchemaNode(RawText(max=MAX_PASSWORD))


class ChallengeIn(Schema):
    example = {
        "email": "ada@example.com",
        "challenge_name": "SOFTWARE_TOKEN_MFA",
        "session": "AYABeEv3cZ5kQ2pLr0mXw…",
        "responses": {"SOFTWARE_TOKEN_MFA_CODE": "123456"},
    }

    email = SchemaNode(Email())
    challenge_name = SchemaNode(Text(max=64, pattern="[A-Z_]+", hint="Must be Cognito's name."))
    session = _session()
    responses = SchemaNode(TextMap(max_entries=20, max_text=MAX_TOKEN))


class MfaSetupIn(Schema):
    session = _session()
    label = SchemaNode(Text(max=255), missing=None)


class MfaSetupOut(Schema):
    secret_code = SchemaNode(Text())
    otpauth_uri = SchemaNode(Text())
    session = SchemaNode(Text())


class MfaVerifyIn(Schema):
    example = {
        "email": "ada@example.com",
        "session": "AYABeEv3cZ5kQ2pLr0mXw…",
        "code": "123456",
        "friendly_name": "Phone",
    }

    email = SchemaNode(Email())
    session = _session()
    code = totp_code()
    friendly_name = SchemaNode(Text(max=255), missing=None)


class RefreshIn(Schema):
    refresh_token = _refresh_token()


class LogoutIn(Schema):
    refresh_token = _refresh_token(missing=None)


class TokensOut(Schema):
    access_token = SchemaNode(Text())
    id_token = SchemaNode(Text())
    refresh_token = SchemaNode(Text())
    expires_in = SchemaNode(Integer())
    token_type = SchemaNode(Text())


class SignInOut(Schema):
    status = SchemaNode(Text())
    message = SchemaNode(Text())
    next_step = SchemaNode(Text(), nullable=True)
    challenge_name = SchemaNode(Text(), nullable=True)
    session = SchemaNode(Text(), nullable=True)
    tokens = SchemaNode(Nested(TokensOut()), nullable=True)
