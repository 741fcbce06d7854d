"""What the tests of audit entries share."""

from typing import Any

from tests.common.api import Api

PATH = "/users/me/audit"


def entries(client: Api) -> list[dict[str, Any]]:
    return client.get(PATH).json


def kinds(client: Api) -> list[str]:
    """The kinds of the entries, the oldest first."""
    return [entry["kind"] for entry in reversed(entries(client))]
