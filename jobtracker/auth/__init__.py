"""Sign-up, sign-in and tokens, by way of AWS Cognito and Cloudflare Turnstile."""

from typing import Any

from jobtracker.auth.cognito import UserPool
from jobtracker.auth.tokens import AccessTokens
from jobtracker.auth.turnstile import Turnstile


def includeme(config: Any) -> None:
    settings = config.registry.settings
    user_pool = UserPool(
        region=settings["cognito.region"],
        client_id=settings["cognito.client_id"],
        endpoint_url=settings["cognito.endpoint_url"],
    )
    access_tokens = AccessTokens(
        region=settings["cognito.region"],
        user_pool_id=settings["cognito.user_pool_id"],
        client_id=settings["cognito.client_id"],
        endpoint_url=settings["cognito.endpoint_url"],
    )
    turnstile = Turnstile(settings["turnstile.url"], settings["turnstile.secret"])
    config.add_request_method(lambda _request: user_pool, "cognito", property=True)
    config.add_request_method(lambda _request: access_tokens, "access_tokens", property=True)
    config.add_request_method(lambda _request: turnstile, "turnstile", property=True)
    config.scan("jobtracker.auth.views")
