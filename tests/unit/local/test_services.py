"""Which services the local stack provides, and the banner that lists them."""

import pytest

from jobtracker.local.server import banner
from jobtracker.local.stack import Stack, local_services
from jobtracker.settings import InvalidSettings, read

LOCAL = {"local.folder": "/nonexistent", "local.aws_port": "1", "local.turnstile_port": "2"}
POOL = {"cognito.region": "us-east-1", "cognito.user_pool_id": "p_1", "cognito.client_id": "c"}
BUCKET = {"s3.region": "us-east-1", "s3.bucket": "bucket"}
DATABASE = {"sqlalchemy.url": "postgresql://ada:secret@db.example/jobs?sslmode=verify-full"}
EMULATOR = "http://127.0.0.1:9229"


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"cognito.endpoint_url": EMULATOR}, POOL.keys()),
        ({"cognito.client_id": "c"}, {"cognito.region", "cognito.user_pool_id"}),
        ({"cognito.issuer": EMULATOR}, POOL.keys()),
        ({"cognito.client_secret": "s"}, POOL.keys()),
        ({**POOL, "cognito.user_pool_id": " "}, {"cognito.user_pool_id"}),
        ({"s3.endpoint_url": EMULATOR}, BUCKET.keys()),
        ({"s3.bucket": "bucket", "s3.access_key_id": "k"}, {"s3.region"}),
        ({"turnstile.url": EMULATOR}, {"turnstile.secret"}),
        ({"turnstile.url": EMULATOR, "cognito.region": "us-east-1"}, {"turnstile.secret", *POOL}),
    ],
)
def test_service_with_some_of_its_settings_is_refused_by_the_names_of_the_others(
    given: dict[str, str], missing: set[str]
):
    with pytest.raises(InvalidSettings) as stopped:
        Stack.from_settings({**LOCAL, **given})
    named = {line.partition(":")[0] for line in str(stopped.value).splitlines()}
    present = {name for name, value in given.items() if value.strip()}
    assert named == {f"Setting {name}" for name in set(missing) - present}


@pytest.mark.parametrize(
    ("given", "local", "parts"),
    [
        ({}, ["sqlalchemy", "cognito", "s3", "turnstile"], ("postgres", "aws", "turnstile")),
        ({"sqlalchemy.pool_size": "3", "documents.max_bytes": "1"}, None, None),
        (DATABASE, ["cognito", "s3", "turnstile"], ("aws", "turnstile")),
        (POOL, ["sqlalchemy", "s3", "turnstile"], ("postgres", "aws", "turnstile")),
        ({**POOL, **BUCKET}, ["sqlalchemy", "turnstile"], ("postgres", "turnstile")),
        ({**POOL, **BUCKET, **DATABASE, "turnstile.secret": "s"}, [], ()),
    ],
)
def test_service_with_all_of_its_settings_is_not_started(
    given: dict[str, str], local: list[str] | None, parts: tuple[str, ...] | None
):
    everything = local_services({})
    assert local_services(given) == (everything if local is None else local)
    if parts is not None:
        assert Stack.from_settings({**LOCAL, **given}).parts == parts


def test_origins_are_separated_as_in_the_setting():
    origins = "http://a.example,http://B.example\n http://c.example"
    stack = Stack.from_settings({**LOCAL, "cors.origins": origins})
    assert stack.origins == ("http://a.example", "http://b.example", "http://c.example")


def test_banner_describes_services_of_ones_own_without_their_secrets():
    own = {**POOL, **BUCKET, **DATABASE, "turnstile.secret": "captcha-secret"}
    text = banner(read(own), "http://127.0.0.1:6543", local_services(own))
    assert "https://cognito-idp.us-east-1.amazonaws.com  pool p_1" in text
    assert "https://s3.us-east-1.amazonaws.com  bucket bucket" in text
    assert "postgresql://ada:***@db.example/jobs" in text
    assert "siteverify" in text
    for false in ("secret", "XXXX.DUMMY", "123456", "None"):
        assert false not in text


def test_banner_has_the_codes_of_local_services():
    settings = read({**POOL, **BUCKET, **DATABASE, "cognito.endpoint_url": EMULATOR})
    text = banner(settings, "http://127.0.0.1:6543", local_services({}))
    assert f"{EMULATOR}  pool p_1" in text
    assert "123456" in text
    assert "XXXX.DUMMY.TOKEN.XXXX" in text
