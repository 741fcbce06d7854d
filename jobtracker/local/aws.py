"""Cognito and S3 for development: MiniStack, with the CloudFormation template in deploy/.

MiniStack keeps its state in memory; each change is saved to disk before its response.
"""

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from botocore.exceptions import ClientError

from jobtracker.aws import Timeouts, make_client
from jobtracker.data import DATA
from jobtracker.local import CHECKOUT
from jobtracker.local.aws_server import SERVICES, TOKEN_HEADER, TOKEN_VARIABLE
from jobtracker.local.guard import LOOPBACK_HOSTS
from jobtracker.local.process import ServerProcess, check_port, write_private

HOST = "127.0.0.1"
STACK_NAME = "jobtracker"

# The codes that MiniStack accepts, as if they had been sent by e-mail.
CONFIRMATION_CODE = "123456"
RESET_CODE = "654321"


class AccessKey(NamedTuple):
    """A random access key of AWS."""

    id: str
    secret: str

    @classmethod
    def generate(cls) -> Self:
        return cls(base64.b32encode(secrets.token_bytes(10)).decode(), secrets.token_urlsafe(30))

    @classmethod
    def of_folder(cls, folder: Path) -> Self:
        """Return the key that is stored in a folder; it is generated and stored when missing."""
        file = folder / "aws.key"
        if not file.exists():
            write_private(file, json.dumps(cls.generate()))
        return cls(*json.loads(file.read_text()))


class Aws(ServerProcess):
    """MiniStack, with its state in a folder.

    :param hosts: host names, and ``origins``: origins whose requests are accepted
    """

    NAME = "MiniStack"
    SECONDS_TO_START = 45
    STOP_SIGNAL = signal.SIGTERM

    def __init__(
        self,
        folder: Path,
        region: str,
        port: int,
        *,
        access_key: AccessKey | None = None,
        hosts: Sequence[str] = tuple(LOOPBACK_HOSTS),
        origins: Sequence[str] = (),
    ) -> None:
        self.folder, self.region, self.port = folder, region, port
        self.access_key = access_key or AccessKey.generate()
        self.hosts, self.origins = hosts, origins
        self.url = f"http://{HOST}:{port}"
        self._token = secrets.token_urlsafe()

    def start(self) -> None:
        """Start MiniStack; RuntimeError if the port is in use or MiniStack does not start."""
        check_port(HOST, self.port, "local.aws_port in [app:main]")
        log, temporary = self.folder / "log" / "aws.log", self.folder / "tmp"
        for folder in (log.parent, temporary):
            folder.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "TMPDIR": str(temporary),
            "AUTH": "true",
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key.id,
            "AWS_SECRET_ACCESS_KEY": self.access_key.secret,
            TOKEN_VARIABLE: self._token,
            "SERVICES": ",".join(SERVICES),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.folder / "aws"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.folder / "s3"),
            # No other servers (SFTP, MQTT), and no access to the machine's containers.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent",
        }
        accepted = json.dumps([[*self.hosts], [*self.origins]])
        command = [sys.executable, "-m", "jobtracker.local.aws_server", accepted]
        # If the supervisor is killed, the pipe is closed, and MiniStack stops.
        self.launch(command, log, env=environment, cwd=CHECKOUT, stdin=subprocess.PIPE)

    def is_ready(self) -> bool:
        try:
            self.client("cloudformation").list_stacks()
        except Exception:  # of whatever kind while it starts
            return False
        return True

    def deploy(self) -> dict[str, str]:
        """Deploy the template, and return the settings to reach its resources; RuntimeError if the
        deployment fails."""
        client = self.client("cloudformation")
        deploy = client.update_stack if self._describe(client) else client.create_stack
        template = {"TemplateBody": (DATA / "deploy" / "aws.yaml").read_text()}
        allowed = {"ParameterKey": "AllowedOrigins", "ParameterValue": ",".join(self.origins)}
        options = {**template, "Capabilities": ["CAPABILITY_IAM"], "Parameters": [allowed]}
        try:
            deploy(StackName=STACK_NAME, **options)
        except ClientError as error:
            if "No updates" not in str(error):
                raise
        while (stack := self._describe(client)).get("StackStatus", "").endswith("IN_PROGRESS"):
            time.sleep(0.1)
        if not stack or "ROLLBACK" in stack["StackStatus"] or "FAILED" in stack["StackStatus"]:
            raise RuntimeError(f"deploy/aws.yaml could not be deployed: {stack}")
        outputs = {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}
        app_client = self.client("cognito-idp").describe_user_pool_client(
            UserPoolId=outputs["UserPoolId"], ClientId=outputs["AppClientId"]
        )["UserPoolClient"]
        return {
            **self.settings,
            "cognito.user_pool_id": outputs["UserPoolId"],
            "cognito.client_id": outputs["AppClientId"],
            "cognito.client_secret": app_client["ClientSecret"],
            "s3.bucket": outputs["BucketName"],
        }

    @property
    def settings(self) -> dict[str, str]:
        """The settings to reach MiniStack itself."""
        return {
            "cognito.region": self.region,
            "cognito.endpoint_url": self.url,
            "s3.region": self.region,
            "s3.endpoint_url": self.url,
            "cognito.access_key_id": self.access_key.id,
            "cognito.secret_access_key": self.access_key.secret,
            "s3.access_key_id": self.access_key.id,
            "s3.secret_access_key": self.access_key.secret,
        }

    @staticmethod
    def _describe(client: Any) -> dict[str, Any]:
        try:
            return client.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        except ClientError:  # the stack does not exist
            return {}

    def client(self, service: str) -> Any:
        """Return a botocore client of one of MiniStack's services, for all of its operations."""
        client = make_client(
            service,
            region=self.region,
            endpoint_url=self.url,
            timeouts=Timeouts(connect=5, read=60),  # an emulator imports much on its first request
            aws_access_key_id=self.access_key.id,
            aws_secret_access_key=self.access_key.secret,
        )
        client.meta.events.register("before-send", self._add_token)
        return client

    def _add_token(self, request: Any, **_event: Any) -> None:
        request.headers[TOKEN_HEADER] = self._token
