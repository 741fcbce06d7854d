"""Errors of an ini file are one line, which contains no value of the file."""

from pathlib import Path

import pytest

from jobtracker.commands import ini


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("hunter2", "line 1: there is no [section] before it"),
        ("[app:main]\nhunter2", "line 2: it is no name = value"),
        ("[app:main]\nuse = egg:jobtracker\ns3.bucket = hunter2%s", "s3.bucket in [app:main]: %"),
        ("[app:main]\nuse = egg:jobtracker\nuse = hunter2", "use is twice in [app:main]"),
        (
            "[app:main]\nuse = egg:no-such-package",
            "No package metadata was found for no-such-package",
        ),
        ("[server:main]\nuse = egg:jobtracker#granian", "LookupError: No section 'main'"),
        ("[app:main]\nuse = egg:jobtracker\n[loggers]\nkeys = root", "logging: KeyError"),
        ("\xff", "is not encoded as UTF-8"),
    ],
)
def test_malformed_ini_is_one_line_without_its_values(tmp_path: Path, text: str, error: str):
    path = str(tmp_path / "x.ini")
    Path(path).write_bytes(text.encode("latin-1"))
    with pytest.raises(SystemExit) as exit_:
        ini.set_up_logging(path, ini.load(path))
    message = str(exit_.value)
    assert error in message
    assert "hunter2" not in message
    assert "\n" not in message
