"""Accounts that tests delete, in the application that commits."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.common.accounts import Account
from tests.common.api import Api
from tests.common.user_pool import MotoUserPool


@pytest.fixture
def anonymous_client(client: Api) -> Api:
    return Api(client.app)


@pytest.fixture
def account(anonymous_client: Api, user_pool: MotoUserPool) -> Account:
    return Account.of(anonymous_client, user_pool)


@pytest.fixture
def set_grace(committing_app: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets ``accounts.grace_days``."""
    settings = committing_app.registry.settings
    return lambda days: monkeypatch.setitem(settings, "accounts.grace_days", days)
