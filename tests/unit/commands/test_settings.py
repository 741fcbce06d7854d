"""What jobtracker settings and check print has no secrets."""

import pytest

from jobtracker.commands.settings import mask, masked, secrets_of
from jobtracker.settings import parse

SECRET = "hunter2%2Fx"
URL = f"postgresql://ada:{SECRET}@db.example/d?sslmode=verify-full"


@pytest.mark.parametrize(
    ("name", "value", "printed"),
    [
        ("sqlalchemy.url", URL, "postgresql://ada:***@db.example/d?sslmode=verify-full"),
        (
            "sqlalchemy.url",
            "postgresql://h/d?password=hunter2&x=y",
            "postgresql://h/d?password=***&x=y",
        ),
        ("rate_limits.storage", "redis://:hunter2@h:1/0", "redis://:***@h:1/0"),
        (
            "rate_limits.storage",
            "redis+cluster://u:hunter2@h:1,i:2",
            "redis+cluster://u:***@h:1,i:2",
        ),
        ("cognito.client_secret", "hunter2", "***"),
        ("s3.secret_access_key", "hunter2", "***"),
        ("s3.access_key_id", "AKIA2", "***"),
        ("turnstile.secret", "hunter2", "***"),
        ("cursors.secret", "hunter2", "***"),
        ("other.password", "hunter2", "***"),
        ("other.api_token", "hunter2", "***"),
        ("other.url", "amqp://u:hunter2@h", "amqp://u:***@h"),
        ("cursors.secret", None, ""),
        ("cache.max_tokens", 200000, "200000"),
        ("sqlalchemy.prepare", True, "true"),
        ("cors.origins", ("https://a", "https://b"), "https://a https://b"),
    ],
)
def test_secrets_are_masked(name: str, value: object, printed: str):
    assert masked(name, value) == printed


def test_default_rates_can_be_read_again():
    typed, _problems = parse({})
    rates = typed["rate_limits.auth_by_address"]
    text = masked("rate_limits.auth_by_address", rates)
    assert parse({"rate_limits.auth_by_address": text})[0]["rate_limits.auth_by_address"] == rates


def test_secrets_in_messages_are_masked_encoded_or_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KEY", "s3cr3t-key")
    secrets = secrets_of({"sqlalchemy.url": URL, "s3.secret_access_key": "${KEY}", "x": "${UNSET}"})
    assert mask(f"{URL} hunter2/x s3cr3t-key", secrets) == (
        "postgresql://ada:***@db.example/d?sslmode=verify-full *** ***"
    )
