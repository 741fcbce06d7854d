"""Cognito and S3 for development: MiniStack, with the CloudFormation template in deploy/.

MiniStack keeps its state in memory and saves it to disk when it gets SIGTERM.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from jobtracker.aws import Timeouts, make_client
from jobtracker.local import CHECKOUT
from jobtracker.local.process import ServerProcess, check_port

HOST = "127.0.0.1"
STACK_NAME = "jobtracker"
ACCESS_KEY_ID = "local"
SECRET_ACCESS_KEY = "local-secret"  # noqa: S105 (of this emulator only)

# The codes that MiniStack accepts, as if they had been sent by e-mail.
CONFIRMATION_CODE = "123456"
RESET_CODE = "654321"

# If the supervisor is killed, the pipe is closed, and MiniStack saves its state and stops.
PROGRAM = """
import os, runpy, signal, sys, threading
def stop_with_parent():
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=stop_with_parent, daemon=True).start()
sys.argv = ["ministack"]
runpy.run_module("ministack", run_name="__main__")
"""


class Aws(ServerProcess):
    """MiniStack, with its state in a folder."""

    NAME = "MiniStack"
    SECONDS_TO_START = 45
    STOP_SIGNAL = signal.SIGTERM

    def __init__(self, folder: Path, region: str, port: int) -> None:
        self.folder, self.region, self.port = folder, region, port
        self.url = f"http://{HOST}:{port}"

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
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.folder / "aws"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.folder / "s3"),
            # No other servers (SFTP, MQTT), and no access to the machine's containers.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent",
        }
        self.launch([sys.executable, "-c", PROGRAM], log, env=environment, stdin=subprocess.PIPE)

    def is_ready(self) -> bool:
        try:
            self.client("cloudformation").list_stacks()
        except Exception:  # of whatever kind while it starts
            return False
        return True

    def deploy(self, origins: Sequence[str]) -> dict[str, str]:
        """Deploy the template, and return the settings to reach its resources; RuntimeError if the
        deployment fails."""
        client = self.client("cloudformation")
        deploy = client.update_stack if self._describe(client) else client.create_stack
        template = {"TemplateBody": (CHECKOUT / "deploy" / "aws.yaml").read_text()}
        allowed = {"ParameterKey": "AllowedOrigins", "ParameterValue": ",".join(origins)}
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
            "s3.access_key_id": ACCESS_KEY_ID,
            "s3.secret_access_key": SECRET_ACCESS_KEY,
        }

    @staticmethod
    def _describe(client: Any) -> dict[str, Any]:
        try:
            return client.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        except ClientError:  # the stack does not exist
            return {}

    def client(self, service: str) -> Any:
        """Return a botocore client of one of MiniStack's services."""
        return make_client(
            service,
            region=self.region,
            endpoint_url=self.url,
            timeouts=Timeouts(connect=5, read=60),  # an emulator imports much on its first request
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
        )
