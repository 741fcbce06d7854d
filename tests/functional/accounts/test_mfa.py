"""Deletions of accounts with TOTP."""

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.common.accounts import DELETION, ME, Account, rows_of
from tests.common.tasks import run_tasks
from tests.common.totp import code, wrong_code


@pytest.fixture
def secret(account: Account) -> str:
    """TOTP is enabled."""
    secret: str = account.client.post(f"{ME}/mfa").json["secret_code"]
    account.client.post(f"{ME}/mfa/confirm", {"code": code(secret)})
    return secret


def test_the_code_is_required_beside_the_password(
    committing_app: Any, engine: Engine, account: Account, secret: str
) -> None:
    error = account.client.refused(403, "DELETE", ME, DELETION)
    assert error["details"]["code"] == "CODE_REQUIRED"
    wrong = {**DELETION, "code": wrong_code(secret)}
    error = account.client.refused(400, "DELETE", ME, wrong)
    assert error["details"]["code"] == "CODE_MISMATCH"
    both_wrong = {"password": "wrong-Password-1", "code": code(secret)}
    error = account.client.refused(400, "DELETE", ME, both_wrong)
    assert error["details"]["code"] == "WRONG_PASSWORD"
    assert account.client.get(ME).json["id"] == account.user_id
    kinds = [entry["kind"] for entry in account.client.get(f"{ME}/audit").json]
    assert kinds == ["account_deletion_failed", "mfa_enabled"]

    account.client.call("DELETE", ME, {**DELETION, "code": code(secret)}, status=202)
    account.client.refused(401, "GET", ME)
    run_tasks(committing_app)
    assert "users" not in rows_of(engine, account.user_id)


def test_a_code_is_ignored_without_a_second_factor(account: Account) -> None:
    account.client.call("DELETE", ME, {**DELETION, "code": "123456"}, status=202)
