"""The state of the emulated user pool and bucket."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobtracker.local.aws import Aws
from tests.common.server import free_port
from tests.common.user_pool import PASSWORD, REGION

KEY = "incoming/resume"


@pytest.fixture
def aws() -> Iterator[Aws]:
    with tempfile.TemporaryDirectory(prefix="jobtracker-") as folder:
        aws = Aws(Path(folder), REGION, free_port())
        aws.start()
        yield aws
        aws.stop()


def test_killed_emulator_has_accounts_sessions_and_objects(aws: Aws):
    settings = aws.deploy()
    cognito, s3 = aws.client("cognito-idp"), aws.client("s3")
    pool, client = settings["cognito.user_pool_id"], settings["cognito.client_id"]
    for name in ("ada@example.com", "bob@example.com"):
        cognito.admin_create_user(UserPoolId=pool, Username=name, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(
            UserPoolId=pool, Username=name, Password=PASSWORD, Permanent=True
        )
    cognito.admin_delete_user(UserPoolId=pool, Username="bob@example.com")
    s3.put_object(Bucket=settings["s3.bucket"], Key=KEY, Body=b"x", Tagging="scanned=yes")
    assert aws.process is not None
    with aws.process as process:
        process.kill()
    aws.start()
    users = cognito.list_users(UserPoolId=pool)["Users"]
    assert [user["UserStatus"] for user in users] == ["CONFIRMED"]
    assert aws.deploy()["cognito.client_id"] == client
    tags = s3.get_object_tagging(Bucket=settings["s3.bucket"], Key=KEY)["TagSet"]
    assert tags == [{"Key": "scanned", "Value": "yes"}]
