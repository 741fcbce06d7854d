"""``root["users"]["me"]["mfa"]``: the second factors of the user, which Cognito stores."""

from collections.abc import Sequence

from jobtracker.tree import Resource
from jobtracker.users.resources import UserResource


class MfaResource(Resource, under=UserResource, name="mfa"):
    """``/users/me/mfa``; the errors are those of :class:`~jobtracker.auth.cognito.UserPool`."""

    def methods(self, access_token: str) -> Sequence[str]:
        """Get Cognito's names of the second factors that are enabled."""
        return self.request.cognito.mfa_methods(access_token)

    def enrol(self, access_token: str) -> str:
        """Begin to set up TOTP; returns the secret for the authenticator app."""
        return self.request.cognito.associate_totp(access_token)

    def confirm(self, access_token: str, code: str, friendly_name: str | None = None) -> None:
        """Complete the set-up with a code of the app, and enable TOTP."""
        self.request.cognito.enable_totp(access_token, code, friendly_name)

    def disable(self, access_token: str, password: str) -> None:
        """Disable TOTP, if the password is correct."""
        self.request.cognito.disable_totp(access_token, password)
