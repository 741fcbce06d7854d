"""The wheel of the checkout, installed into an environment of its own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from jobtracker.local import CHECKOUT

NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "var", "build", "tests")


def build_wheel(folder: Path) -> Path:
    """Build the wheel; setuptools writes to a copy of the checkout, and not to it."""
    copy = folder / "checkout"
    shutil.copytree(CHECKOUT, copy, symlinks=True, ignore=NOT_COPIED)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
    ]
    options: list[str | Path] = [
        "--no-index",
        "--disable-pip-version-check",
        "--wheel-dir",
        folder,
        copy,
    ]
    subprocess.run([*pip, *options], check=True)  # noqa: S603 (our own package)
    shutil.rmtree(copy)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel, with the dependencies of this Python; return the folder of programs."""
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        folder / "bin" / "python",
        "install",
    ]
    options: list[str | Path] = ["--quiet", "--no-deps", "--no-index", "--ignore-installed", wheel]
    environment = {"PATH": os.environ["PATH"], "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([*pip, *options], check=True, env=environment)  # noqa: S603
    return folder / "bin"
