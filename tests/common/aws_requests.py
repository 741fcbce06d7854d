"""Requests to an emulator of AWS, signed by botocore."""

from typing import Any

import boto3
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from jobtracker.local.aws import AccessKey
from tests.common.user_pool import REGION

HOST = "127.0.0.1:6544"
URL = f"http://{HOST}"


def s3_client(key: AccessKey, url: str = URL) -> Any:
    return boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}),
    )


def presign(key: AccessKey, operation: str) -> str:
    """A presigned URL, without scheme and host."""
    parameters = {"Bucket": "bucket", "Key": "a b"}
    return s3_client(key).generate_presigned_url(operation, parameters).removeprefix(URL)


def signed_headers(key: AccessKey, method: str, url: str, service: str = "s3") -> dict[str, str]:
    """The headers of a request that is signed in Authorization, in lower case."""
    request = AWSRequest(method, URL + url, headers={"host": HOST})
    S3SigV4Auth(Credentials(key.id, key.secret), service, REGION).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def signed_call_headers(key: AccessKey, headers: dict[str, str], body: bytes) -> dict[str, str]:
    """The headers of a signed call of Cognito, in lower case."""
    request = AWSRequest("POST", f"{URL}/", headers={"host": HOST, **headers}, data=body)
    SigV4Auth(Credentials(key.id, key.secret), "cognito-idp", REGION).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def cognito_headers(operation: str) -> dict[str, str]:
    return {
        "x-amz-target": f"AWSCognitoIdentityProviderService.{operation}",
        "content-type": "application/x-amz-json-1.1",
    }
