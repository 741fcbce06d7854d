"""The options of a server: from strings to the types of their defaults."""

import pytest

from jobtracker.servers import options
from jobtracker.servers.granian_server import server_factory
from jobtracker.settings import InvalidSettings


def test_options_are_of_the_types_of_their_defaults():
    raw = {"threads": "3", "drain_seconds": "1.5", "cpu_affinity": "true", "workers": " "}
    typed, problems = options.parse(server_factory, {**raw, "host": "::1"})
    assert problems == []
    assert typed == {"threads": 3, "drain_seconds": 1.5, "cpu_affinity": True, "host": "::1"}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("drain_second", "5", "there is no such setting"),
        ("drain_seconds", "soon", "must be a number of seconds"),
        ("drain_seconds", "-1", "must be a number of seconds"),
        ("threads", "0", "must be a whole number above 0"),
        ("workers", "1.5", "must be a whole number above 0"),
    ],
)
def test_unknown_and_malformed_options_are_named(name: str, value: str, reason: str):
    with pytest.raises(InvalidSettings) as raised:
        server_factory({}, **{name: value})
    assert raised.value.problems == ((name, reason),)
