"""A server process without the local stack."""

import subprocess
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

from jobtracker.local import CHECKOUT
from tests.common.server import Server, free_port
from tests.torture.client import Client

# Threads of the server.
THREADS = 8


class Instance(Server):
    """pserve, with an ini file of the checkout in which some settings are changed.

    :param settings: of ``[app:main]``
    :param ini: which of the checkout's
    :param options: of the server's section
    """

    def __init__(
        self, folder: Path, settings: dict[str, str], ini: str = "development.ini", **options: Any
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.ini = folder / ini
        parser = RawConfigParser()
        parser.read(CHECKOUT / ini)
        # The worker of the development server, beside the sweeps of the tests.
        parser["app:main"]["sweeper.interval"] = "3600"
        parser["app:main"].update(settings)
        server = parser["server:main"]
        if "listen" in server:
            server["listen"] = f"127.0.0.1:{self.port}"
        else:
            server["port"] = str(self.port)
        server["threads"] = str(THREADS)
        server.update({name: str(value) for name, value in options.items()})
        with self.ini.open("w") as file:
            parser.write(file)

    def client(self, token: str = "") -> Client:
        return Client(self.port, token)

    def kill(self) -> None:
        """End the process with SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
