"""The JSON of the second factor."""

from colander import SchemaNode

from jobtracker.auth.schemas import LABEL, PASSWORD, TOTP_CODE
from jobtracker.fields import Boolean, Schema, Text, TextList


class MfaOut(Schema):
    example = {"enabled": True, "methods": ["SOFTWARE_TOKEN_MFA"]}

    enabled = SchemaNode(Boolean())
    methods = SchemaNode(TextList(Text(), max_items=10))


class MfaEnrolIn(Schema):
    example = {"label": "ada@example.com"}

    label = SchemaNode(LABEL, missing=None)
    password = SchemaNode(PASSWORD, missing=None)


class MfaEnrolOut(Schema):
    example = {
        "secret_code": "JBSWY3DPEHPK3PXP",
        "otpauth_uri": (
            "otpauth://totp/JobTracker:ada%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=JobTracker"
        ),
    }

    secret_code = SchemaNode(Text())
    otpauth_uri = SchemaNode(Text())


class MfaConfirmIn(Schema):
    example = {"code": "123456", "friendly_name": "Phone"}

    code = SchemaNode(TOTP_CODE)
    friendly_name = SchemaNode(LABEL, title="name of the device", missing=None)


class MfaDisableIn(Schema):
    example = {"password": "Lovelace-1815"}

    password = SchemaNode(PASSWORD)
