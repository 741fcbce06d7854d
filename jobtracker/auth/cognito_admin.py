"""The client of the Cognito user pool for operations that need AWS credentials."""

import functools
import logging
from collections.abc import Mapping
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from jobtracker.auth.cognito_configuration import ADMIN_HINTS
from jobtracker.aws import Timeouts, error_code, make_client, with_hint
from jobtracker.errors import Unavailable
from jobtracker.logs.outages import log_outage

log = logging.getLogger(__name__)


class UserPoolAdmin:
    """A Cognito user pool, as seen by its administrator; every method raises Unavailable when
    Cognito fails, refuses or does not respond.

    Users are named by their ``sub``: an address can be another account's by now.
    """

    def __init__(self, user_pool_id: str, **options: Any) -> None:
        self.user_pool_id = user_pool_id
        self._options = options

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        return cls(
            settings["cognito.user_pool_id"],
            region=settings["cognito.region"],
            endpoint_url=settings["cognito.endpoint_url"],
            aws_access_key_id=settings["cognito.access_key_id"],
            aws_secret_access_key=settings["cognito.secret_access_key"],
            timeouts=Timeouts.from_settings(settings),
        )

    @functools.cached_property
    def client(self) -> Any:
        """Made on first use, since it looks for credentials, which few processes need."""
        return make_client("cognito-idp", **self._options)

    def delete_user(self, sub: str) -> None:
        """Delete an account, if there is one."""
        self._call("admin_delete_user", sub)

    def disable_user(self, sub: str) -> None:
        """Disable an account, if there is one; Cognito revokes its tokens."""
        self._call("admin_disable_user", sub)

    def enable_user(self, sub: str) -> bool:
        """Enable an account, and return whether there is one."""
        return self._call("admin_enable_user", sub)

    def _call(self, operation: str, sub: str) -> bool:
        """Call an idempotent operation; return whether the account exists."""
        try:
            getattr(self.client, operation)(UserPoolId=self.user_pool_id, Username=sub)
        except (ClientError, BotoCoreError) as error:
            code = error_code(error)
            if code == "UserNotFoundException":
                return False
            reason = with_hint(code, ADMIN_HINTS)
            log_outage(log, "Cognito", "Cognito %s: %s", operation, reason)
            raise Unavailable from error
        return True
