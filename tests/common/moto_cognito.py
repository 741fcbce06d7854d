"""What moto's Cognito lacks: operations, and the check that requests are of the app client."""

import functools
from typing import Any

from moto.cognitoidp.exceptions import NotAuthorizedError
from moto.cognitoidp.models import CognitoIdpUserPool, CognitoIdpUserPoolClient
from moto.cognitoidp.responses import CognitoIdpResponse
from moto.cognitoidp.utils import check_secret_hash
from moto.core.responses import ActionResult, EmptyResult

# The operations that take a secret hash, and the parameter that has it beside the username.
SECRET_HASH = {
    "sign_up": None,
    "confirm_sign_up": None,
    "resend_confirmation_code": None,
    "forgot_password": None,
    "confirm_forgot_password": None,
    "initiate_auth": "AuthParameters",
    "respond_to_auth_challenge": "ChallengeResponses",
}


def install() -> None:
    """Add it to moto, of this process."""
    for method in (
        get_tokens_from_refresh_token,
        revoke_token,
        resend_confirmation_code,
        delete_user,
    ):
        setattr(CognitoIdpResponse, method.__name__, method)
    for operation, parameter in SECRET_HASH.items():
        setattr(CognitoIdpResponse, operation, _with_check(operation, parameter))


def _with_check(operation: str, parameter: str | None) -> Any:
    original = getattr(CognitoIdpResponse, operation)

    @functools.wraps(original)
    def checked(response: Any) -> ActionResult:
        _, client = _pool_and_client(response)
        if parameter is None:
            given = [response._get_param(name) for name in ("Username", "SecretHash")]
        else:
            values = response._get_param(parameter)
            given = [values.get(name) for name in ("USERNAME", "SECRET_HASH")]
        if client.secret and not check_secret_hash(client.secret, client.id, *given):
            raise NotAuthorizedError(f"Unable to verify secret hash for client {client.id}")
        return original(response)

    return checked


def get_tokens_from_refresh_token(response: Any) -> ActionResult:
    pool = _pool_of_authenticated_client(response)
    token = response._get_param("RefreshToken")
    issued = pool.refresh_tokens.get(token)
    if issued is None or pool._get_user(issued[1]) is None:  # revoked, or of a deleted account
        raise NotAuthorizedError("Invalid Refresh Token")
    access_token, id_token, expires_in = pool.create_tokens_from_refresh_token(token)
    tokens = {"AccessToken": access_token, "IdToken": id_token, "ExpiresIn": expires_in}
    return ActionResult({"AuthenticationResult": {**tokens, "TokenType": "Bearer"}})


def revoke_token(response: Any) -> ActionResult:
    pool = _pool_of_authenticated_client(response)
    pool.refresh_tokens.pop(response._get_param("Token"), None)
    return EmptyResult()


def delete_user(response: Any) -> ActionResult:
    user = response.backend.get_user(token := response._get_param("AccessToken"))
    pools = response.backend.user_pools.values()
    pool = next(each for each in pools if token in each.access_tokens)
    response.backend.admin_delete_user(pool.id, user.id)
    return EmptyResult()


def resend_confirmation_code(_response: Any) -> ActionResult:
    """As for an unknown account too, with PreventUserExistenceErrors."""
    destination = {"Destination": "a***@e***", "DeliveryMedium": "EMAIL", "AttributeName": "email"}
    return ActionResult({"CodeDeliveryDetails": destination})


def _pool_of_authenticated_client(response: Any) -> CognitoIdpUserPool:
    pool, client = _pool_and_client(response)
    if client.secret and response._get_param("ClientSecret") != client.secret:
        raise NotAuthorizedError(f"Invalid client secret for client {client.id}")
    return pool


def _pool_and_client(response: Any) -> tuple[CognitoIdpUserPool, CognitoIdpUserPoolClient]:
    client_id = response._get_param("ClientId")
    pools = response.backend.user_pools.values()
    pool = next(pool for pool in pools if client_id in pool.clients)
    return pool, pool.clients[client_id]
