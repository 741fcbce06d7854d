"""Sign-up, sign-in and access tokens, with AWS Cognito and Cloudflare Turnstile."""

import logging
from typing import Any

from jobtracker.auth.clock import CognitoClock
from jobtracker.auth.cognito import UserPool
from jobtracker.auth.cognito_admin import UserPoolAdmin
from jobtracker.auth.tokens import AccessTokens
from jobtracker.auth.turnstile import Turnstile
from jobtracker.aws import Timeouts
from jobtracker.http.service import registry_property

log = logging.getLogger(__name__)


def includeme(config: Any) -> None:
    settings = config.registry.settings
    timeouts = Timeouts.from_settings(settings)
    app_client = {
        "region": settings["cognito.region"],
        "client_id": settings["cognito.client_id"],
        "endpoint_url": settings["cognito.endpoint_url"],
        "timeouts": timeouts,
        "clock": CognitoClock(),
    }
    client_secret = settings["cognito.client_secret"]
    if client_secret is None:
        log.warning(
            "cognito.client_secret is not set: the app client must have no secret, and everybody "
            "can use it"
        )
    clients = {
        "cognito": UserPool(client_secret=client_secret, **app_client),
        "cognito_admin": UserPoolAdmin.from_settings(settings),
        "access_tokens": AccessTokens(
            settings["cognito.user_pool_id"],
            issuer=settings["cognito.issuer"],
            max_cached=settings["cache.max_tokens"],
            **app_client,
        ),
        "turnstile": Turnstile(settings["turnstile.url"], settings["turnstile.secret"], timeouts),
    }
    config.registry.update(clients)
    for name in clients:
        config.add_request_method(registry_property(name), name, property=True)
