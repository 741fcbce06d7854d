"""Schemathesis against a running server, with an access token: ``python -m tests.fuzz 60``.

All of its checks, for the given seconds; ``schemathesis.toml`` and ``hooks.py`` contain exceptions
for rules that no schema expresses.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from jobtracker.local.aws import CONFIRMATION_CODE
from jobtracker.local.turnstile import DUMMY_TOKEN
from jobtracker.settings import SETTINGS
from tests.common.server import Server

CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("hooks.py")
EMAIL = "fuzz@example.com"
# Not that of the examples: a change of password revokes the access token.
PASSWORD = "Hopper-1906-fuzz"

# Validity depends on earlier responses.
STATEFUL_PARAMETERS = ("cursor", "Idempotency-Key")

# Revokes the access token of all other requests.
SIGN_OUT = "/users/me/sign-out-everywhere"

# A request that is refused with 429 tests nothing.
NO_RATE_LIMITS = {
    setting.name: "1000000/second"
    for setting in SETTINGS
    if setting.name.endswith(("_by_address", "_by_account", "_by_user"))
}


def main(seconds: int) -> int:
    """Fuzz for that many seconds. Returns the exit status: 0 without findings."""
    with tempfile.TemporaryDirectory(prefix="jobtracker-fuzz-") as folder:
        server = Server(Path(folder), NO_RATE_LIMITS)
        server.start()
        try:
            found = subprocess.run(  # noqa: S603 (our own program)
                [
                    *(Path(sys.executable).parent / "st", "--config-file", CONFIG, "run"),
                    *(write_document(server, Path(folder)), "--url"),
                    f"http://127.0.0.1:{server.port}",
                    *("--header", f"Authorization: Bearer {sign_in(server)}"),
                    *("--max-time", str(seconds), "--max-response-time", "5"),
                    *("--continue-on-failure", "--no-color"),
                ],
                cwd=folder,
                env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)},
                check=False,
            )
            faults = [line for line in server.output().splitlines() if "Unexpected" in line]
            sys.stdout.write("\n".join(faults))
            return found.returncode or bool(faults)
        finally:
            server.stop()


def write_document(server: Server, folder: Path) -> Path:
    """The server's document, without what cannot be generated."""
    document = server.call("GET", "/openapi.json")[1]
    del document["paths"][SIGN_OUT]
    for operations in document["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict) and "parameters" in operation:
                operation["parameters"] = [
                    each
                    for each in operation["parameters"]
                    if each["name"] not in STATEFUL_PARAMETERS
                ]
    file = folder / "openapi.json"
    file.write_text(json.dumps(document))
    return file


def sign_in(server: Server) -> str:
    """The access token of a new account."""
    account = {"email": EMAIL, "password": PASSWORD}
    server.call(
        *("POST", "/auth/cognito/signup"),
        {**account, "name": "Fuzz", "turnstile_token": DUMMY_TOKEN},
    )
    server.call("POST", "/auth/cognito/confirm", {"email": EMAIL, "code": CONFIRMATION_CODE})
    return server.call("POST", "/auth/cognito/login", account)[1]["tokens"]["access_token"]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
