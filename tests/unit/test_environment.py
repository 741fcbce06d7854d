"""Environment variables in settings, and the files that they name."""

from pathlib import Path

import pytest

from jobtracker.environment import UnsetVariable, expand, read_again
from jobtracker.settings import InvalidSettings, read

REQUIRED = {
    "sqlalchemy.url": "postgresql://${ROLE}:${PASSWORD}@db.example/jobtracker",
    "cognito.region": "eu-central-1",
    "cognito.user_pool_id": "eu-central-1_AbCdEfGhI",
    "cognito.client_id": "client",
    "s3.region": "eu-central-1",
    "s3.bucket": "bucket",
}


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "password"
    file.write_text("one\n")
    monkeypatch.setenv("PASSWORD_FILE", str(file))
    monkeypatch.setenv("ROLE", "ada")
    return file


def test_variable_is_read_from_its_file():
    assert expand(" ${ROLE}:${PASSWORD} ") == "ada:one"


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_unreadable_file_is_refused_without_its_path(file: Path, content: bytes | None):
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(UnsetVariable, match="the file of PASSWORD_FILE cannot be read: ") as error:
        expand("${PASSWORD}")
    assert str(file) not in str(error.value)
    with pytest.raises(InvalidSettings, match=r"^Setting sqlalchemy\.url: the file of PASSWORD_F"):
        read(REQUIRED)


def test_variable_and_its_file_together_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PASSWORD", "two")
    with pytest.raises(UnsetVariable, match="PASSWORD and PASSWORD_FILE are both set"):
        expand("${PASSWORD}")


def test_setting_is_read_again_as_it_is_now(file: Path, caplog: pytest.LogCaptureFixture):
    url = read(REQUIRED)["sqlalchemy.url"]
    assert read_again(url) is url
    assert not caplog.messages
    file.write_text("two")
    again = read_again(url)
    assert again == "postgresql+psycopg://ada:two@db.example/jobtracker"
    assert caplog.messages == ["Setting sqlalchemy.url: has changed, and is used as it is now"]
    file.write_text("three")
    assert "three" in str(read_again(again))


def test_invalid_value_does_not_replace_the_one_that_was_read(
    file: Path, caplog: pytest.LogCaptureFixture
):
    url = read(REQUIRED)["sqlalchemy.url"]
    file.write_text("half/of?it")
    assert read_again(url) is url
    assert "Setting sqlalchemy.url: is not a valid URL" in caplog.text
    assert "half" not in caplog.text


def test_setting_without_variables_stays_as_it_is():
    region = read(REQUIRED)["cognito.region"]
    assert read_again(region) is region
    assert read_again(None) is None
