"""Settings: a missing or malformed one is refused with one line that names it."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import make_url

from jobtracker.local import CHECKOUT
from jobtracker.settings import SETTINGS, InvalidSettings, insecure_settings, read
from tests.common import forks

REQUIRED = {
    "sqlalchemy.url": "postgresql://user:secret@db.example/jobtracker",
    "cognito.region": "eu-central-1",
    "cognito.user_pool_id": "eu-central-1_AbCdEfGhI",
    "cognito.client_id": "client",
    "s3.region": "eu-central-1",
    "s3.bucket": "bucket",
}


def test_defaults_of_settings():
    settings = read(REQUIRED)
    assert settings["sqlalchemy.url"] == "postgresql+psycopg://user:secret@db.example/jobtracker"
    assert settings["documents.max_bytes"] == 5 * 1024 * 1024
    assert settings["turnstile.url"].startswith("https://challenges.cloudflare.com/")
    assert settings["turnstile.secret"] is None
    assert settings["cognito.client_secret"] is None
    assert settings["cors.origins"] == ()


@pytest.mark.parametrize(
    ("value", "parsed"), [("", False), ("false", False), ("true", True), (" True ", True)]
)
def test_boolean_setting_is_true_or_false(value: str, parsed: bool):
    assert read({**REQUIRED, "documents.malware_scan": value})["documents.malware_scan"] is parsed


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("[::1]:9464", ("::1", 9464)),
        ("localhost:1", ("localhost", 1)),
        ("", None),
    ],
)
def test_address_of_metrics_has_a_port(value: str, address: tuple[str, int] | None):
    assert read({**REQUIRED, "metrics.listen": value})["metrics.listen"] == address


@pytest.mark.parametrize(
    "value", ["9464", ":9464", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "::1:9464", "a b:1"]
)
def test_address_of_metrics_without_host_or_port_is_refused(value: str):
    with pytest.raises(InvalidSettings, match=r"^Setting metrics\.listen: must be an address"):
        read({**REQUIRED, "metrics.listen": value})


def test_settings_of_other_packages_are_kept():
    assert read({**REQUIRED, "retry.attempts": "5"})["retry.attempts"] == "5"


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_missing_required_setting_is_refused(name: str, value: str | None):
    given = {**REQUIRED, name: value or ""}
    if value is None:
        del given[name]
    with pytest.raises(InvalidSettings, match=rf"^Setting {name}: is required$"):
        read(given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("documents.malware_scan", "yes"),
        ("sqlalchemy.url", "nonsense"),
        ("sqlalchemy.url", "mysql://h/d"),
        ("sqlalchemy.url", "postgresql+asyncpg://h/d"),
        ("sqlalchemy.migrations_url", "postgresql+asyncpg://h/d"),
        ("sqlalchemy.session_settings", "connection"),
        ("sqlalchemy.prepare", "5"),
        ("sqlalchemy.pool_size", "0"),
        ("sqlalchemy.pool_size", "-1"),
        ("sqlalchemy.pool_size", "ten"),
        ("cognito.region", "eu central 1"),
        ("cognito.client_id", "two words"),
        ("cognito.user_pool_id", "pool/../other"),
        ("s3.region", "Frankfurt"),
        ("s3.bucket", "not a bucket"),
        ("s3.access_key_id", "without-its-secret"),
        ("http.public_origin", "https://a.example https://b.example"),
        ("http.public_origin", "https://a.example/path?query"),
        ("http.public_origin", "https://a.example//path"),
        ("http.public_origin", "https://a.example/a/../b"),
        ("http.public_origin", "https://a.example/%61"),
        ("http.public_origin", "a.example"),
        ("http.hsts_max_age", "0"),
        ("rate_limits.auth_by_address", "often"),
        ("rate_limits.auth_by_address", "0/minute"),
        ("rate_limits.notes_by_user", "10/fortnight"),
        ("rate_limits.storage", "redis.example"),
        ("rate_limits.storage", "memcached://x"),
        ("proxies.trusted", "10.0.0.1/8"),
        ("proxies.trusted", "proxy.example"),
        ("gateways.read_timeout", "0"),
        ("cognito.endpoint_url", "http://cognito.example"),
        ("cognito.endpoint_url", "cognito.example"),
        ("cognito.endpoint_url", "ftp://127.0.0.1"),
        ("s3.endpoint_url", "http://10.0.0.1:9000"),
        ("s3.endpoint_url", "https://["),
        ("turnstile.url", "http://turnstile.example"),
        ("turnstile.url", "http://127.0.0.1.example"),
        ("documents.max_bytes", "5 MiB"),
        ("cors.origins", "*"),
        ("cors.origins", "https://app.example/ "),
        ("cors.origins", "app.example"),
        ("cors.headers", "*"),
        ("cors.headers", "sentry-trace *"),
        ("cors.headers", "X-A: b"),
        ("cors.origins", "https://app.example,https://b.example/path"),
        ("cognito.issuer", "issuer.example/pool"),
        ("cognito.issuer", "https://issuer.example/ pool"),
        ("cognito.user_pool_id", "us-east-1_AbCdEfGhI"),  # another region than cognito.region
        ("sqlalchemy.url", "postgresql://db.example/d?sslmod=verify-full"),
        ("turnstile.secret", "1x0000000000000000000000000000000AA"),
    ],
)
def test_malformed_setting_is_refused_by_name(name: str, value: str):
    with pytest.raises(InvalidSettings, match=rf"^Setting {name}: ") as stopped:
        read({**REQUIRED, name: value})
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:4566", "http://localhost:1", "http://[::1]:1"])
def test_plain_http_is_accepted_only_for_loopback_urls(url: str):
    settings = read({**REQUIRED, "s3.endpoint_url": url, "turnstile.url": url + "/"})
    assert settings["s3.endpoint_url"] == settings["turnstile.url"] == url


def test_issuer_is_not_normalized_and_allows_a_pool_of_any_region():
    own = {"cognito.issuer": "http://cognito:9229/pool/", "cognito.user_pool_id": "us-east-1_A"}
    assert read({**REQUIRED, **own})["cognito.issuer"] == "http://cognito:9229/pool/"


def test_all_invalid_settings_are_reported_a_line_each():
    invalid = {
        "cors.origin": "x",
        "s3.bucket": "",
        "cognito.region": "x",
        "s3.region": "${UNSET_1}",
    }
    unset = {"cognito.client_id": "${UNSET_1}", "s3.region": "${UNSET_1}"}
    with pytest.raises(InvalidSettings) as stopped:
        read({**REQUIRED, **invalid, **unset, "sqlalchemy.url": "postgresql://${UNSET_2}"})
    lines = str(stopped.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        *("Setting cors.origin", "Setting sqlalchemy.url", "Setting cognito.region"),
        *("Setting cognito.client_id", "Setting s3.bucket"),  # s3.region: the same variable
    ]


def test_unknown_setting_is_refused():
    with pytest.raises(InvalidSettings, match=r"^Setting cors\.origin: there is no such setting$"):
        read({**REQUIRED, "cors.origin": "https://app.example"})


@pytest.mark.parametrize("separator", [",", " ", ", ", "\n  "])
def test_origins_are_split_and_lowercased(separator: str):
    value = f"https://App.example{separator}http://localhost:5173"
    origins = read({**REQUIRED, "cors.origins": value})["cors.origins"]
    assert origins == ("https://app.example", "http://localhost:5173")


def test_environment_variables_are_substituted_and_escaped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "pa$$%40")
    url = "postgresql://user:${DATABASE_PASSWORD}@db.example/jobtracker"
    settings = read({**REQUIRED, "sqlalchemy.url": url})
    assert settings["sqlalchemy.url"].startswith("postgresql+psycopg://user:pa%24%24%40@")
    monkeypatch.delenv("DATABASE_PASSWORD")
    with pytest.raises(InvalidSettings, match=r"sqlalchemy\.url: .* DATABASE_PASSWORD is not set"):
        read({**REQUIRED, "sqlalchemy.url": url})


# Of which no message may contain a part.
PASSWORDS = ["se@cret", "se/cret", "12/cret", "se#cret", "se?cret", "12?cret", "se%cret", "se cret"]


@pytest.mark.parametrize("password", [*PASSWORDS, "12/se@cret", "se@cret@x", "%4"])
@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("sqlalchemy.url", "postgresql://user:{}@db.example/d"),
        ("sqlalchemy.url", "postgresql+psycopg://user:{}@db.example:5432/d?sslmode=require"),
        ("sqlalchemy.url", "postgresql://{}:x@db.example/d"),
        ("rate_limits.storage", "redis://:{}@redis.example:6379/0"),
        ("rate_limits.storage", "rediss://user:{}@redis.example"),
        ("rate_limits.storage", "redis+cluster://user:{}@a.example:1,b.example:2"),
        ("rate_limits.storage", "redis+sentinel://:{}@a.example:1/primary"),
        ("rate_limits.storage", "redis+unix://user:{}@/run/redis.sock"),
    ],
)
def test_password_in_a_url_has_to_be_percent_encoded(name: str, url: str, password: str):
    with pytest.raises(InvalidSettings, match="percent-encoded") as stopped:
        read({**REQUIRED, name: url.format(password)})
    message = str(stopped.value)
    assert message.startswith(f"Setting {name}: ")
    assert not any(part in message for part in ("cret", "12", "%4@", ".example"))
    read({**REQUIRED, name: url.format(quote(password, safe=""))})


@pytest.mark.parametrize(
    "url",
    [
        "postgres://user:secret@db.example/d",
        "postgresql://user:secret@db.example:port/d",
        "postgresql://user:a@b:secret@c/d",
        "postgresql://db.example:5432/d?user=ada&password=x@secret",
        "host=db.example user=ada password=secret",
    ],
)
def test_error_message_does_not_contain_the_password(url: str):
    with pytest.raises(InvalidSettings) as stopped:
        read({**REQUIRED, "sqlalchemy.url": url})
    assert "secret" not in str(stopped.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql:///d?host=/var/run/postgresql&port=5433",
        "postgresql://ada@db.example/d?passfile=/etc/pgpass",
        "postgresql://ada@/d?host=a.example&host=b.example:5433",
    ],
)
def test_password_can_be_left_to_libpq(url: str):
    parsed = make_url(read({**REQUIRED, "sqlalchemy.url": url})["sqlalchemy.url"])
    assert parsed.password is None


LOCAL = {"sqlalchemy.url": "postgresql:///d"}
DB = "postgresql://user:secret@"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sqlalchemy.url", f"{DB}db.example/d"),
        ("sqlalchemy.migrations_url", f"{DB}db.example/d"),
        ("sqlalchemy.url", f"{DB}db.example/d?sslmode=require"),
        ("sqlalchemy.url", f"{DB}[2001:db8::1]/d?sslmode=verify-ca"),
        ("sqlalchemy.reading_url", f"{DB}replica.example/d?sslmode=require"),
        ("sqlalchemy.url", f"{DB}/d?host=127.0.0.1:1&host=db.example:1"),
        ("rate_limits.storage", "redis://:secret@redis.example:6379/0"),
        ("rate_limits.storage", "redis+cluster://127.0.0.1:1,redis.example:1"),
        ("rate_limits.storage", "redis://[2001:db8::1]:6379/0"),
        ("cors.origins", "https://app.example http://app.example"),
        ("http.public_origin", "http://api.example"),
    ],
)
def test_insecure_setting_is_named_without_its_secrets(name: str, value: str):
    ((found, reason),) = insecure_settings(read({**REQUIRED, **LOCAL, name: value}))
    assert found == name
    assert "secret" not in reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sqlalchemy.url", f"{DB}db.example/d?sslmode=verify-full"),
        ("sqlalchemy.url", f"{DB}localhost:5432/d"),
        ("sqlalchemy.url", f"{DB}[::1]:5432/d"),
        ("sqlalchemy.url", f"{DB}/d?host=/var/run/postgresql"),
        ("rate_limits.storage", "memory://"),
        ("rate_limits.storage", "rediss://redis.example:6379/0"),
        ("rate_limits.storage", "redis://localhost:6379/0"),
        ("rate_limits.storage", "redis+unix:///run/redis.sock"),
        ("cors.origins", "https://app.example http://localhost:3000 http://127.0.0.1:5173"),
        ("http.public_origin", "https://api.example"),
    ],
)
def test_secure_or_local_setting_is_not_named(name: str, value: str):
    assert list(insecure_settings(read({**REQUIRED, **LOCAL, name: value}))) == []


class TestProductionIni:
    INI = CHECKOUT / "production.ini"
    ENVIRONMENT = {
        "DATABASE_URL": "postgresql://user:secret@db.example/jobtracker",
        "AWS_REGION": "eu-central-1",
        "COGNITO_USER_POOL_ID": "eu-central-1_AbCdEfGhI",
        "COGNITO_CLIENT_ID": "client",
        "COGNITO_CLIENT_SECRET": "secret",
        "S3_BUCKET": "bucket",
        "TURNSTILE_SECRET": "secret",
        "CORS_ORIGINS": "https://app.example",
    }

    def run(self, program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, Path(sys.executable).parent / program, self.INI],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_production_ini_has_every_setting(self):
        text = self.INI.read_text()
        for setting in SETTINGS:
            assert f"\n{setting.name} =" in text or f"\n#{setting.name} =" in text

    def test_production_ini_starts_with_its_environment(self):
        routes = self.run("proutes", self.ENVIRONMENT)
        assert routes.returncode == 0, routes.stderr
        assert "/auth/cognito/login" in routes.stdout

    @pytest.mark.parametrize(
        "variable", ["DATABASE_URL", "COGNITO_CLIENT_ID", "COGNITO_CLIENT_SECRET"]
    )
    def test_production_ini_stops_with_one_line_without_a_variable(self, variable: str):
        environment = {k: v for k, v in self.ENVIRONMENT.items() if k != variable}
        stopped = forks.run(forks.PSERVE, self.INI, env=environment)
        assert stopped.returncode != 0
        (line,) = stopped.stderr.splitlines()
        assert variable in line

    @pytest.mark.parametrize(
        "program",
        [[forks.PSERVE, INI], [forks.ALEMBIC, "-c", INI, "upgrade", "head"]],
        ids=["pserve", "alembic"],
    )
    def test_programs_stop_with_a_line_for_each_missing_variable(self, program: list[str | Path]):
        stopped = forks.run(*program, env={}, cwd=CHECKOUT)
        assert stopped.returncode == 1
        lines = stopped.stderr.splitlines()
        assert len(lines) == len(self.ENVIRONMENT)
        for variable in self.ENVIRONMENT:
            assert sum(f"variable {variable} is not set" in line for line in lines) == 1

    def test_production_ini_does_not_import_the_local_stack(self):
        program = (
            "import sys, pyramid.paster;"
            f"pyramid.paster.get_app({str(self.INI)!r});"
            "sys.exit(any(name.startswith('jobtracker.local') for name in sys.modules))"
        )
        done = subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-c", program], env=self.ENVIRONMENT, check=False
        )
        assert done.returncode == 0


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        ("https://API.example", "https://api.example"),
        ("https://api.example/", "https://api.example"),
        ("https://API.example/Api/v1/", "https://api.example/Api/v1"),
        ("https://api.example:8443/a.b", "https://api.example:8443/a.b"),
    ],
)
def test_public_origin_can_have_a_path(value: str, origin: str):
    assert read({**REQUIRED, "http.public_origin": value})["http.public_origin"] == origin
