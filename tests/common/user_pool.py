"""A Cognito user pool of moto: accounts, and tokens of any kind."""

import functools
import time
from typing import Any

import jwt
from moto.utilities.utils import load_resource

from jobtracker.auth.cognito import UserPool
from jobtracker.auth.sign_in import Tokens
from jobtracker.local.aws import Aws
from tests.common.timeouts import LONG_AWS_TIMEOUTS

# The kid of moto's only key.
KEY_ID = "dummy"

PASSWORD = "Lovelace-1815"

REGION = "us-east-1"


class MotoUserPool:
    """A user pool of the moto server."""

    def __init__(self, aws: Aws, mfa: str = "OFF") -> None:
        self.client = aws.client("cognito-idp")
        self.pool_id = self.client.create_user_pool(
            PoolName="tests",
            UsernameAttributes=["email"],
            AutoVerifiedAttributes=["email"],
            Policies={
                "PasswordPolicy": {
                    "MinimumLength": 12,
                    "RequireUppercase": True,
                    "RequireLowercase": True,
                    "RequireNumbers": True,
                    "RequireSymbols": True,
                }
            },
        )["UserPool"]["Id"]
        self.client.set_user_pool_mfa_config(
            UserPoolId=self.pool_id,
            SoftwareTokenMfaConfiguration={"Enabled": mfa != "OFF"},
            MfaConfiguration=mfa,
        )
        app_client = self.client.create_user_pool_client(
            UserPoolId=self.pool_id,
            ClientName="tests",
            GenerateSecret=True,
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"],
            PreventUserExistenceErrors="ENABLED",
            ReadAttributes=["email", "email_verified", "name"],
        )["UserPoolClient"]
        self.client_id = app_client["ClientId"]
        self.client_secret = app_client["ClientSecret"]
        self.issuer = f"https://cognito-idp.{aws.region}.amazonaws.com/{self.pool_id}"
        endpoint: dict[str, Any] = {"region": aws.region, "endpoint_url": aws.url}
        endpoint["timeouts"] = LONG_AWS_TIMEOUTS
        self.server_side = UserPool(self.client_id, self.client_secret, **endpoint)
        self.user = functools.cache(self._user)
        self.account = functools.cache(self.server_side.get_user)

    def _user(self, email: str, name: str) -> Tokens:
        """A confirmed account, signed in."""
        assert not self.server_side.sign_up(email, PASSWORD, name)
        self.client.admin_confirm_sign_up(UserPoolId=self.pool_id, Username=email)
        tokens = self.server_side.sign_in(email, PASSWORD).tokens
        assert tokens is not None
        return tokens

    def token(
        self, *, algorithm: str = "RS256", key: Any = None, key_id: str | None = None, **claims: Any
    ) -> str:
        """An access token as Cognito signs it, with some claims changed; None removes a claim."""
        now = int(time.time())
        usual = {
            "sub": "11111111-2222-3333-4444-555555555555",
            "iss": self.issuer,
            "client_id": self.client_id,
            "token_use": "access",
            "iat": now,
            "exp": now + 600,
        }
        chosen = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        if algorithm == "none":
            key = None
        elif key is None:
            key = signing_key()
        return jwt.encode(chosen, key, algorithm=algorithm, headers={"kid": key_id or KEY_ID})


def signing_key() -> Any:
    """moto's private key, the same for all of its pools."""
    return _key("private")


def public_key() -> Any:
    """moto's public key."""
    return _key("public")


@functools.cache
def _key(which: str) -> Any:
    jwk = load_resource(f"cognitoidp/resources/jwks-{which}.json")
    return jwt.PyJWK({"alg": "RS256", **jwk.get("keys", [jwk])[0]}).key
