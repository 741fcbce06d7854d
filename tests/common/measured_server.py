"""A server with metrics: pserve with production.ini and two workers."""

import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import psutil

from jobtracker.local import CHECKOUT
from tests.common import forks
from tests.common.scrape import Scrape
from tests.common.server import Server, free_port


class MeasuredServer(Server):
    """:param kind: granian or waitress
    :param settings: of ``[app:main]``
    """

    def __init__(self, folder: Path, kind: str, settings: dict[str, str]) -> None:
        self.folder, self.kind = folder, kind
        self.port, self.metrics_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.ini = folder / "production.ini"
        parser = RawConfigParser()
        parser.read(CHECKOUT / "production.ini")
        own = {"use": "egg:jobtracker", "metrics.listen": f"127.0.0.1:{self.metrics_port}"}
        parser["app:main"] = {
            **own,
            **{name: value.replace("%", "%%") for name, value in settings.items()},
        }
        parser["server:main"] = {
            "use": f"egg:jobtracker#{kind}",
            "host": "127.0.0.1",
            "port": str(self.port),
            **({"workers": "2"} if kind == "granian" else {}),
        }
        with self.ini.open("w") as file:
            parser.write(file)

    def program(self, name: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        assert name == "pserve"
        return forks.Fork([forks.PSERVE, *arguments], cwd=self.folder, **options)

    def scrape(self) -> Scrape:
        return Scrape(self.metrics_port)

    def workers(self) -> list[psutil.Process]:
        assert self.process is not None
        return psutil.Process(self.process.pid).children()

    @property
    def metric_folders(self) -> set[str]:
        """The folders of metrics that the main process has opened."""
        assert self.process is not None
        opened = [each.path for each in psutil.Process(self.process.pid).open_files()]
        return {str(Path(path).parent) for path in opened if "jobtracker-metrics" in path}

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder)
