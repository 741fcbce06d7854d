"""What web pages of other origins, and other users of the machine, can do with a local stack."""

import functools
import json
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from jobtracker.local.aws import AccessKey
from jobtracker.local.malware import EICAR, TAG
from jobtracker.local.process import wait_until
from jobtracker.local.turnstile import DUMMY_TOKEN
from tests.common.aws_requests import cognito_headers, s3_client
from tests.common.server import Server
from tests.common.timeouts import http_request
from tests.common.user_pool import PASSWORD, REGION

SPA = "http://localhost:3000"
FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example:80"},
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="jobtracker-") as folder:
        # As created by an earlier version.
        Path(folder, "var").mkdir(mode=0o755)
        server = Server(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
            server.wait_until_all_are_gone()


@pytest.fixture(scope="module")
def state(server: Server) -> dict[str, str]:
    """The settings that the stack provides."""
    return json.loads((server.folder / "var" / "stack.state").read_text())


@pytest.fixture(scope="module")
def key(state: dict[str, str]) -> AccessKey:
    return AccessKey(state["s3.access_key_id"], state["s3.secret_access_key"])


def status(method: str, url: str, **options: Any) -> int:
    return http_request(method, url, retries=False, **options).status


def test_data_is_readable_by_its_owner_only(server: Server):
    folder = server.folder / "var"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("aws.key", "stack.state"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    for name in ("postgres", "aws", "log", "tmp"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o700


def test_keys_are_those_of_one_stack_and_in_no_command_line(server: Server, key: AccessKey):
    assert AccessKey.of_folder(server.folder / "var") == key
    with tempfile.TemporaryDirectory() as folder:
        other = AccessKey.of_folder(Path(folder))
        assert other == AccessKey.of_folder(Path(folder))
    assert other.id != key.id
    assert other.secret != key.secret
    lines = [" ".join(process.info["cmdline"] or ()) for process in server.processes()]
    assert lines
    assert not any(key.secret in line for line in lines)


@pytest.mark.parametrize("headers", FOREIGN)
def test_foreign_host_or_origin_is_refused_by_each_part(
    server: Server, state: dict[str, str], key: AccessKey, headers: dict[str, str]
):
    jobtracker, aws = f"http://127.0.0.1:{server.port}", state["s3.endpoint_url"]
    jwks = f"{aws}/{state['cognito.user_pool_id']}/.well-known/jwks.json"
    upload = {"Bucket": state["s3.bucket"], "Key": "incoming/x"}
    url = s3_client(key, aws).generate_presigned_url("put_object", upload)
    preflight = {"Access-Control-Request-Method": "POST", **headers}
    sign_up = {**cognito_headers("SignUp"), **headers}
    assert status("GET", f"{jobtracker}/health") == 200
    assert status("GET", f"{jobtracker}/health", headers=headers) == 403
    assert status("POST", f"{jobtracker}/auth/cognito/login", headers=headers, json={}) == 403
    assert status("OPTIONS", f"{jobtracker}/jobs", headers=preflight) == 403
    assert status("GET", jwks) == 200
    assert status("GET", jwks, headers=headers) == 403
    assert status("POST", aws, headers=sign_up, body=b"{}") == 403
    assert status("PUT", url, headers=headers, body=b"x") == 403
    assert status("OPTIONS", url, headers=preflight) == 403
    assert status("POST", state["turnstile.url"], headers=headers, body=b"") == 403


def test_turnstile_requires_its_secret(state: dict[str, str]):
    form = f"secret=local&response={DUMMY_TOKEN}"
    refused = http_request("POST", state["turnstile.url"], body=form)
    assert refused.json() == {"success": False, "error-codes": ["invalid-input-secret"]}


@pytest.mark.parametrize("path", ["reset", "health", "ready", "config", "lambda-code/f"])
@pytest.mark.parametrize("headers", [{}, {"Origin": SPA}])
def test_operations_of_ministack_itself_are_refused(
    state: dict[str, str], path: str, headers: dict[str, str]
):
    for method in ("GET", "POST"):
        url = f"{state['s3.endpoint_url']}/_ministack/{path}"
        assert status(method, url, headers=headers) == 403


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("lambda", "list_functions", {}),
        ("iam", "list_users", {}),
        ("iam", "create_access_key", {"UserName": "x"}),
        ("sts", "get_caller_identity", {}),
        ("cloudformation", "create_stack", {"StackName": "x", "TemplateBody": "{}"}),
        ("cloudformation", "delete_stack", {"StackName": "jobtracker"}),
        ("cognito-idp", "list_user_pools", {"MaxResults": 1}),
        ("cognito-idp", "admin_get_user", {"UserPoolId": "us-east-1_x", "Username": "x"}),
        ("dynamodb", "list_tables", {}),
        ("sqs", "list_queues", {}),
        ("s3", "list_buckets", {}),
        ("s3", "create_bucket", {"Bucket": "another"}),
    ],
)
def test_other_services_and_operations_are_refused_with_any_key(
    state: dict[str, str], key: AccessKey, service: str, operation: str, parameters: dict[str, Any]
):
    for each in (AccessKey("test", "test"), AccessKey("local", "local-secret"), key):
        client = boto3.client(
            service,
            region_name=REGION,
            endpoint_url=state["s3.endpoint_url"],
            aws_access_key_id=each.id,
            aws_secret_access_key=each.secret,
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(ClientError) as refused:
            getattr(client, operation)(**parameters)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_s3_requires_a_signature_of_the_key_of_this_stack(state: dict[str, str], key: AccessKey):
    url, bucket = state["s3.endpoint_url"], state["s3.bucket"]
    s3_client(key, url).put_object(Bucket=bucket, Key="incoming/x", Body=b"x")
    for other in (AccessKey("test", "test"), key._replace(secret="local-secret")):
        client = s3_client(other, url)
        presigned = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "x"})
        assert status("GET", presigned) == 403
        with pytest.raises(ClientError):
            client.list_objects_v2(Bucket=bucket)
    assert status("GET", f"{url}/{bucket}/incoming/x") == 403
    assert status("GET", f"{url}/{bucket}") == 403


def test_presigned_url_reaches_no_other_service(state: dict[str, str], key: AccessKey):
    client = s3_client(key, state["s3.endpoint_url"])
    parameters = {"Bucket": state["s3.bucket"], "Key": "incoming/x"}
    url = client.generate_presigned_url("put_object", parameters)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for action in ("CreateStack&StackName=x", "ListStacks", "ListUsers", "GetCallerIdentity"):
        assert status("PUT", url, headers=form, body=f"Action={action}".encode()) in (400, 403)
    target = cognito_headers("AdminCreateUser")
    assert status("PUT", url, headers=target, body=b"{}") == 403
    assert status("PUT", url, headers={"x-amz-tagging": f"{TAG}=CLEAN"}, body=b"x") == 403


def test_upload_of_the_spa_passes_and_is_tagged_by_the_scanner(
    state: dict[str, str], key: AccessKey
):
    client, bucket = s3_client(key, state["s3.endpoint_url"]), state["s3.bucket"]

    def result_of(name: str) -> list[str]:
        tags = client.get_object_tagging(Bucket=bucket, Key=name)["TagSet"]
        return [tag["Value"] for tag in tags if tag["Key"] == TAG]

    for name, body, result in (
        ("incoming/clean", b"My resume", "NO_THREATS_FOUND"),
        ("incoming/infected", EICAR, "THREATS_FOUND"),
    ):
        url = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": name})
        uploaded = http_request("PUT", url, headers={"Origin": SPA}, body=body)
        assert uploaded.status == 200
        assert uploaded.headers["Access-Control-Allow-Origin"] == SPA
        assert wait_until(functools.partial(result_of, name), seconds=10)
        assert result_of(name) == [result]


def test_origin_of_the_spa_and_of_jobtracker_itself_reach_the_api(server: Server):
    own = f"http://127.0.0.1:{server.port}"
    login = {"email": "nobody@example.com", "password": PASSWORD}
    for origin in (SPA, own):
        options: dict[str, Any] = {"headers": {"Origin": origin}, "json": login}
        assert status("POST", f"{own}/auth/cognito/login", **options) == 401
