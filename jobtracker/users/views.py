"""``/users/me`` and what is under it."""

from typing import Any

from pyramid.request import Request

from jobtracker.http.rate_limits import AUTH_BY_USER
from jobtracker.http.service import ApiService, ThreadPool
from jobtracker.permissions import Permission
from jobtracker.users import schemas
from jobtracker.users.queries import UserRow
from jobtracker.users.resources import SettingsResource, UiPreferencesResource, UserResource

me = ApiService("me", "/users/me", context=UserResource)
change_password = ApiService(
    "change_password", "/users/me/change-password", context=UserResource, traverse="/users/me"
)
sign_out_everywhere = ApiService(
    "sign_out_everywhere",
    "/users/me/sign-out-everywhere",
    context=UserResource,
    traverse="/users/me",
)
settings = ApiService("settings", "/users/me/settings", context=SettingsResource)
ui_preferences = ApiService(
    "ui_preferences", "/users/me/ui-preferences", context=UiPreferencesResource
)

SETTINGS_OUT = schemas.SettingsOut()
UI_PREFERENCES_OUT = schemas.UiPreferencesOut()


@me.get(permission=Permission.READ, returns=schemas.UserOut())
def get_me(request: Request) -> UserRow:
    """The signed-in user."""
    return request.identity


@me.delete(
    permission=Permission.WRITE,
    body=schemas.AccountDeletionIn(),
    returns=schemas.AccountDeletionOut(),
    status=202,
    has_location=False,
    errors=(400, 403),
    rate_limits=[AUTH_BY_USER],
    thread_pool=ThreadPool.GATEWAY,
)
def delete_me(request: Request) -> dict[str, Any]:
    """Delete your account, with everything in it: `/users/me/deletion` says what that is. It cannot
    be undone. All tokens are revoked, access tokens included.

    While a second factor is on, its `code` is asked for as well: 403 with the code CODE_REQUIRED
    without it. `purge_at` is when the deletion begins; until then the support can undo it.
    """
    purge_at = request.context.delete(**request.validated)
    days = request.registry.settings["accounts.grace_days"]
    message = "Your account is deleted, with everything in it."
    if days:
        message = f"Your account is closed. What is in it is deleted in {days} days."
    return {"message": message, "purge_at": purge_at}


# Not idempotent: the access token is revoked, so a repetition is 401 whatever was stored.
REVOKES_ALL_TOKENS: dict[str, Any] = {
    "rate_limits": [AUTH_BY_USER],
    "thread_pool": ThreadPool.GATEWAY,
    "idempotent": False,
    # The resource has its own transaction: what was revoked stays so when Cognito fails.
    "single_statement": True,
}


@change_password.post(
    permission=Permission.WRITE,
    body=schemas.ChangePasswordIn(),
    returns=schemas.MessageOut(),
    errors=(400, 403),
    **REVOKES_ALL_TOKENS,
)
def post_change_password(request: Request) -> dict[str, str]:
    """Change the password. All tokens are revoked, access tokens included."""
    request.context.change_password(**request.validated)
    return {"message": "Password changed. Please sign in again."}


@sign_out_everywhere.post(
    permission=Permission.WRITE, returns=schemas.MessageOut(), **REVOKES_ALL_TOKENS
)
def post_sign_out_everywhere(request: Request) -> dict[str, str]:
    """Sign out of all devices, of this one too. All tokens are revoked, access tokens included."""
    request.context.sign_out_everywhere()
    return {"message": "Signed out everywhere."}


@settings.get(permission=Permission.READ, returns=SETTINGS_OUT)
def get_settings(request: Request) -> UserRow:
    """How the SPA shows itself to this user."""
    return request.identity


@settings.put(
    permission=Permission.WRITE,
    body=schemas.SETTINGS_IN,
    returns=schemas.UpdatedSettingsOut(),
    if_match=SETTINGS_OUT,
)
def put_settings(request: Request) -> dict[str, Any]:
    """Set some settings, or all. What is left out stays as it is."""
    user = request.context.update(request.versions, **request.validated)
    return {**SETTINGS_OUT.dump(user), "message": "Settings updated"}


@ui_preferences.get(permission=Permission.READ, returns=UI_PREFERENCES_OUT)
def get_ui_preferences(request: Request) -> UserRow:
    """What this user has switched on and off."""
    return request.identity


@ui_preferences.patch(
    permission=Permission.WRITE, body=schemas.UiPreferencesIn(), returns=UI_PREFERENCES_OUT
)
def patch_ui_preferences(request: Request) -> UserRow:
    """Switch some things on and off (JSON Merge Patch): null removes, what is left out stays. There
    can be 100 in all."""
    return request.context.update(**request.validated)
