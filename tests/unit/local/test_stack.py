"""Where the local stack keeps its data."""

import stat
import tempfile
from pathlib import Path

import pytest

from jobtracker.local.stack import LocalError, writable_folder


@pytest.fixture
def unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that not even root can create, of a user whose home is in tmp_path."""
    (tmp_path / "checkout").touch()
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    return str(tmp_path / "checkout" / "var")


def test_writable_folder_is_created(tmp_path: Path):
    folder = tmp_path / "checkout" / "var"
    assert writable_folder(str(folder)) == str(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_folder_that_cannot_be_written_is_replaced_by_one_of_the_user(
    unwritable: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    replacement = writable_folder(unwritable)
    assert Path(replacement).parent == tmp_path / ".local" / "state"
    assert writable_folder(unwritable) == replacement
    assert writable_folder(f"{unwritable}2") != replacement
    assert replacement in capsys.readouterr().out


def test_xdg_state_home_is_respected(
    unwritable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert Path(writable_folder(unwritable)).parent == tmp_path / "state"


def test_without_a_home_the_data_is_in_a_temporary_folder(unwritable: str, tmp_path: Path):
    (tmp_path / ".local").touch()
    assert Path(writable_folder(unwritable)).parent == tmp_path / "tmp"


def test_without_any_folder_the_start_fails_with_one_line(unwritable: str, tmp_path: Path):
    for name in (".local", "tmp"):
        (tmp_path / name).touch()
    with pytest.raises(LocalError) as failed:
        writable_folder(unwritable)
    (line,) = str(failed.value).splitlines()
    assert unwritable in line
