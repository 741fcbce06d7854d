"""Cognito and S3 of our own: MiniStack, and in it what the template in deploy/ says.

MiniStack keeps accounts in memory and writes them down when it is stopped by SIGTERM.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from jobtracker.aws import make_client
from jobtracker.local import CHECKOUT, ports

HOST = "127.0.0.1"
STACK_NAME = "jobtracker"
ACCESS_KEY_ID = "local"
SECRET_ACCESS_KEY = "local-secret"  # noqa: S105 (opens nothing but this emulator)
SECONDS_TO_START = 45

# What MiniStack sends by "e-mail": to confirm an address, and to reset a password.
CONFIRMATION_CODE = "123456"
RESET_CODE = "654321"

# Should the supervisor be killed, its end of the pipe closes, and MiniStack stops as if told to.
PROGRAM = """
import os, runpy, signal, sys, threading
def stop_with_parent():
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=stop_with_parent, daemon=True).start()
sys.argv = ["ministack"]
runpy.run_module("ministack", run_name="__main__")
"""


class Aws:
    """MiniStack, with its state in a folder."""

    def __init__(self, folder: Path, region: str, port: int) -> None:
        self.folder = folder
        self.region = region
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers.

        :raises RuntimeError: when the port is taken, or it does not start
        """
        ports.check(HOST, self.port, "local.aws_port in [app:main]")
        log = self.folder / "log" / "aws.log"
        temporary = self.folder / "tmp"
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
            # Nothing but what is asked for: no SFTP, no MQTT, no look at other people's containers.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent",
        }
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"MiniStack does not start: see {log}")
            time.sleep(0.1)

    def deploy(self, origins: Sequence[str]) -> dict[str, str]:
        """Have what the template says, and return the settings that lead there."""
        client = self.client("cloudformation")
        wanted: dict[str, Any] = {
            "StackName": STACK_NAME,
            "TemplateBody": (CHECKOUT / "deploy" / "aws.yaml").read_text(),
            "Capabilities": ["CAPABILITY_IAM"],
            "Parameters": [{"ParameterKey": "AllowedOrigins", "ParameterValue": ",".join(origins)}],
        }
        if self._described(client) is None:
            client.create_stack(**wanted)
        else:
            try:
                client.update_stack(**wanted)
            except ClientError as error:
                if "No updates" not in str(error):
                    raise
        outputs = {item["OutputKey"]: item["OutputValue"] for item in self._settled(client)}
        return {
            **self.settings,
            "cognito.user_pool_id": outputs["UserPoolId"],
            "cognito.client_id": outputs["AppClientId"],
            "s3.bucket": outputs["BucketName"],
        }

    @property
    def settings(self) -> dict[str, str]:
        """The settings that lead here, whatever is deployed."""
        return {
            "cognito.region": self.region,
            "cognito.endpoint_url": self.url,
            "s3.region": self.region,
            "s3.endpoint_url": self.url,
            "s3.access_key_id": ACCESS_KEY_ID,
            "s3.secret_access_key": SECRET_ACCESS_KEY,
        }

    def stop(self) -> None:
        """Return when all is written down and the process gone."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        try:
            self.client("cloudformation").list_stacks()
        except Exception:  # whatever is wrong, the question is only whether to ask again
            return False
        return True

    def _settled(self, client: Any) -> list[dict[str, str]]:
        while (stack := self._described(client)) and stack["StackStatus"].endswith("IN_PROGRESS"):
            time.sleep(0.1)
        if not stack or "ROLLBACK" in stack["StackStatus"] or "FAILED" in stack["StackStatus"]:
            raise RuntimeError(f"deploy/aws.yaml could not be deployed: {stack}")
        return stack["Outputs"]

    @staticmethod
    def _described(client: Any) -> dict[str, Any] | None:
        try:
            return client.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        except ClientError:
            return None  # it does not exist

    def client(self, service: str) -> Any:
        """A client of one of its services, with the keys that open it."""
        return make_client(
            service,
            region=self.region,
            endpoint_url=self.url,
            config=Config(retries={"total_max_attempts": 1}),
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
        )
