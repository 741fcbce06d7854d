"""Sign-up, sign-in and access tokens, with AWS Cognito and Cloudflare Turnstile."""

from typing import Any

from jobtracker.auth.cognito import UserPool
from jobtracker.auth.tokens import AccessTokens
from jobtracker.auth.turnstile import Turnstile
from jobtracker.aws import Timeouts
from jobtracker.http.service import registry_property


def includeme(config: Any) -> None:
    settings = config.registry.settings
    timeouts = Timeouts.of_settings(settings)
    app_client = {
        "region": settings["cognito.region"],
        "client_id": settings["cognito.client_id"],
        "endpoint_url": settings["cognito.endpoint_url"],
        "timeouts": timeouts,
    }
    config.registry["cognito"] = UserPool(**app_client)
    config.registry["access_tokens"] = AccessTokens(
        user_pool_id=settings["cognito.user_pool_id"], **app_client
    )
    config.registry["turnstile"] = Turnstile(
        settings["turnstile.url"], settings["turnstile.secret"], timeouts
    )
    for name in ("cognito", "access_tokens", "turnstile"):
        config.add_request_method(registry_property(name), name, property=True)
