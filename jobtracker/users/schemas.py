"""Users on the wire."""

from colander import SchemaNode, drop

from jobtracker.fields import (
    Boolean,
    BooleanMap,
    Choice,
    Integer,
    RawText,
    Schema,
    Text,
    Timestamp,
)
from jobtracker.users.models import (
    AUTO_REFRESH_SECONDS,
    MAX_RETENTION_DAYS,
    JobsSort,
    JobsView,
    Theme,
)

# https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_SignUp.html
MAX_PASSWORD = 256

PREFERENCE = "[a-z0-9_]{1,64}"


class UiPreferencesIn(Schema):
    example = {"preferences": {"compact_rows": True, "show_archived": False, "old_tour": None}}

    preferences = SchemaNode(BooleanMap(key=PREFERENCE, removable=True))


class UiPreferencesOut(Schema):
    example = {"ui_preferences": {"compact_rows": True, "show_archived": False}}

    ui_preferences = SchemaNode(BooleanMap(key=PREFERENCE))


class UserOut(Schema):
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

    id = SchemaNode(Integer())
    email = SchemaNode(Text())
    name = SchemaNode(Text(), nullable=True)
    auto_refresh_seconds = SchemaNode(Integer(choices=AUTO_REFRESH_SECONDS))
    ui_preferences = SchemaNode(BooleanMap(key=PREFERENCE))
    created_at = SchemaNode(Timestamp())
    is_email_verified = SchemaNode(Boolean())
    email_verified_at = SchemaNode(Timestamp())


class ChangePasswordIn(Schema):
    example = {"current_password": "Lovelace-1815", "new_password": "Lovelace-1852"}

    current_password = SchemaNode(RawText(max=MAX_PASSWORD))
    new_password = SchemaNode(RawText(max=MAX_PASSWORD))


class MessageOut(Schema):
    message = SchemaNode(Text())


class SettingsIn(Schema):
    example = {
        "auto_refresh_seconds": 30,
        "theme": "dark",
        "default_jobs_sort": "updated_desc",
        "default_jobs_view": "all",
        "data_retention_days": 0,
    }

    auto_refresh_seconds = SchemaNode(Integer(choices=AUTO_REFRESH_SECONDS), missing=drop)
    theme = SchemaNode(Choice(Theme), missing=drop)
    default_jobs_sort = SchemaNode(Choice(JobsSort), missing=drop)
    default_jobs_view = SchemaNode(Choice(JobsView), missing=drop)
    data_retention_days = SchemaNode(Integer(min=0, max=MAX_RETENTION_DAYS), missing=drop)


class SettingsOut(Schema):
    example = SettingsIn.example

    auto_refresh_seconds = SchemaNode(Integer(choices=AUTO_REFRESH_SECONDS))
    theme = SchemaNode(Choice(Theme))
    default_jobs_sort = SchemaNode(Choice(JobsSort))
    default_jobs_view = SchemaNode(Choice(JobsView))
    data_retention_days = SchemaNode(Integer(min=0, max=MAX_RETENTION_DAYS))


class UpdatedSettingsOut(SettingsOut):
    example = {**SettingsOut.example, "message": "Settings updated"}

    message = SchemaNode(Text())
