"""The JSON of users."""

from colander import SchemaNode

from jobtracker import fields
from jobtracker.users import models

# https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_SignUp.html
MAX_PASSWORD = 256
PREFERENCE = "[a-z0-9_]{1,64}"
PREFERENCE_HINT = "Must have names of 1 to 64 small letters, digits and underscores."


class UiPreferencesIn(fields.Schema):
    example = {"preferences": {"compact_rows": True, "show_archived": False, "old_tour": None}}

    preferences = SchemaNode(
        fields.BooleanMap(key=PREFERENCE, removable=True, hint=PREFERENCE_HINT)
    )


class UiPreferencesOut(fields.Schema):
    example = {"ui_preferences": {"compact_rows": True, "show_archived": False}}

    ui_preferences = SchemaNode(fields.BooleanMap(key=PREFERENCE))


class UserOut(fields.RowOut):
    example = {
        "id": 1,
        "email": "ada@example.com",
        "name": "Ada",
        "auto_refresh_seconds": 30,
        **UiPreferencesOut.example,
        "created_at": "2026-11-23T09:00:00.000000Z",
        "is_email_verified": True,
        "email_verified_at": "2026-11-23T09:00:00.000000Z",
    }

    email = SchemaNode(fields.Text())
    name = SchemaNode(fields.Text(), nullable=True)
    auto_refresh_seconds = SchemaNode(fields.Integer(choices=models.AUTO_REFRESH_SECONDS))
    ui_preferences = SchemaNode(fields.BooleanMap(key=PREFERENCE))
    created_at = SchemaNode(fields.Timestamp())
    is_email_verified = SchemaNode(fields.Boolean())
    email_verified_at = SchemaNode(fields.Timestamp())


class ChangePasswordIn(fields.Schema):
    example = {"current_password": "Lovelace-1815", "new_password": "Lovelace-1852"}

    current_password = SchemaNode(fields.RawText(max=MAX_PASSWORD))
    new_password = SchemaNode(fields.RawText(max=MAX_PASSWORD))


class AccountDeletionIn(fields.Schema):
    example = {"password": "Lovelace-1815", "code": "123456"}

    password = SchemaNode(fields.RawText(max=MAX_PASSWORD))
    code = SchemaNode(fields.Code(digits=6), missing=None)


class MessageOut(fields.Schema):
    message = SchemaNode(fields.Text())


class AccountDeletionOut(MessageOut):
    example = {
        "message": "Your account is deleted, with everything in it.",
        "purge_at": "2026-11-23T09:00:00.000000Z",
    }

    purge_at = SchemaNode(fields.Timestamp())


class SettingsOut(fields.Schema):
    example = {
        "auto_refresh_seconds": 30,
        "theme": "dark",
        "default_jobs_sort": "updated_desc",
        "default_jobs_view": "all",
        "data_retention_days": 0,
    }

    auto_refresh_seconds = SchemaNode(
        fields.Integer(choices=models.AUTO_REFRESH_SECONDS), title="refresh interval"
    )
    theme = SchemaNode(fields.Choice(models.Theme))
    default_jobs_sort = SchemaNode(fields.Choice(models.JobsSort), title="sort order")
    default_jobs_view = SchemaNode(fields.Choice(models.JobsView), title="default view")
    data_retention_days = SchemaNode(
        fields.Integer(min=0, max=models.MAX_RETENTION_DAYS), title="number of days to keep data"
    )


SETTINGS_IN = fields.merge_patch(SettingsOut(), "SettingsIn", SettingsOut.example)


class UpdatedSettingsOut(SettingsOut):
    example = {**SettingsOut.example, "message": "Settings updated"}

    message = SchemaNode(fields.Text())
