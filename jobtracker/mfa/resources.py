"""``root["users"]["me"]["mfa"]``: the second factors of the user, which Cognito stores."""

from jobtracker.audit.models import AuditKind
from jobtracker.tree import Resource
from jobtracker.users import queries
from jobtracker.users.resources import UserResource


class MfaResource(Resource, under=UserResource, name="mfa"):
    """``/users/me/mfa``.

    Cognito's answers are cached by the user's revision, which a change increments, so that all
    processes see it at once.
    """

    __parent__: UserResource

    def methods(self) -> list[str]:
        """Cognito's names of the second factors that are enabled."""
        user, request = self.__parent__.row, self.request
        return request.cognito.cached_user(request.bearer_token, user.version).mfa_methods

    def associate_totp(self, password: str | None) -> str:
        """Begin to set up TOTP; as :meth:`UserPool.associate_totp`."""
        with self.__parent__.record_failures(AuditKind.MFA_CHANGE_FAILED):
            return self.request.cognito.associate_totp(self.request.bearer_token, password)

    def enable_totp(self, code: str, friendly_name: str | None) -> None:
        """Enable TOTP; as :meth:`UserPool.enable_totp`."""
        self.__parent__.record(self.connection, AuditKind.MFA_ENABLED)
        with self.__parent__.record_failures(AuditKind.MFA_CHANGE_FAILED):
            self.request.cognito.enable_totp(self.request.bearer_token, code, friendly_name)
        queries.increment_revision(self.connection, self.__parent__.row.id)

    def disable_totp(self, password: str) -> None:
        """Disable TOTP; as :meth:`UserPool.disable_totp`."""
        self.__parent__.record(self.connection, AuditKind.MFA_DISABLED)
        with self.__parent__.record_failures(AuditKind.MFA_CHANGE_FAILED):
            self.request.cognito.disable_totp(self.request.bearer_token, password)
        queries.increment_revision(self.connection, self.__parent__.row.id)
