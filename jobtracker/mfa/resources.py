"""``root["users"]["me"]["mfa"]``: what Cognito asks of this user beside the password.

All of it is done with the user's own access token, at Cognito; we keep nothing.
"""

from collections.abc import Sequence

from jobtracker.tree import Resource
from jobtracker.users.resources import UserResource


class MfaResource(Resource, under=UserResource, name="mfa"):
    """``/users/me/mfa``. All methods raise what those of ``UserPool`` raise."""

    def methods(self, access_token: str) -> Sequence[str]:
        """Cognito's names of the factors that are on."""
        return self.request.cognito.mfa_methods(access_token)

    def enrol(self, access_token: str) -> str:
        """Begin to set up TOTP: the secret for the authenticator app."""
        return self.request.cognito.new_totp_secret_of(access_token)

    def confirm(self, access_token: str, code: str, friendly_name: str | None = None) -> None:
        """End to set up TOTP with a code of the app, and switch it on."""
        self.request.cognito.enable_totp(access_token, code, friendly_name)

    def disable(self, access_token: str, password: str) -> None:
        """Switch TOTP off, for who knows the password."""
        self.request.cognito.disable_totp(access_token, password)
