"""Installs the locked requirements into .venv, with the Python that runs this: `make` calls it.

It may be interrupted: without its marker, .venv is created anew. Concurrent runs wait for each
other.
"""

import _signal  # type: ignore[import-not-found]  # which the module signal imports, after much else

# From here on, Ctrl-C ends this process at once, without a traceback.
_signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import fcntl
import hashlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"
MARKER = VENV / ".installed"
INPUTS = [Path("setup.cfg"), Path("pyproject.toml"), Path("requirements/dev.txt")]

# Started with SIGINT blocked, so that Ctrl-C prints no traceback of its start either.
MODULE = (
    "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    "signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT]);"
    "sys.argv = sys.argv[1:]; runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)


def main() -> None:
    # The kernel releases the lock, even if this process is killed, once its children have ended.
    with INPUTS[0].open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another installation into .venv is running: waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        digest = hashlib.sha256(b"".join(each.read_bytes() for each in INPUTS)).hexdigest()
        installed = MARKER.read_text() if MARKER.exists() else None
        works = installed is not None and not run(lock, "pip", "--version")
        if works and installed == digest:
            if os.access(MARKER, os.W_OK):
                MARKER.touch()
            return
        if not works:
            create(lock)
        print("Installing into .venv (one to three minutes, once)", flush=True)
        MARKER.unlink(missing_ok=True)
        pip = ("pip", "--quiet", "--quiet", "--disable-pip-version-check", "install")
        locked = ("--require-hashes", "--requirement", "requirements/dev.txt")
        package = ("--no-deps", "--no-build-isolation", "--editable", ".")
        error = run(lock, *pip, *locked) or run(lock, *pip, *package)
        if error:
            sys.exit(error)
        MARKER.write_text(digest)


def create(lock: IO[Any]) -> None:
    """Create .venv; what is there is removed."""
    if sys.version_info < (3, 11):
        sys.exit("JobTracker needs Python 3.11 or later: make PYTHON=python3.x")
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        sys.exit("This Python cannot create environments: Debian has that in python3-venv")
    import venv

    venv.create(VENV, clear=True, symlinks=True)
    error = run(lock, "ensurepip", "--default-pip")
    if error:
        lines = error.splitlines()
        errors = [line for line in lines if line.startswith("ERROR: ")]
        sys.exit(f".venv cannot be created: {(errors or lines)[-1]}")


def run(lock: IO[Any], *arguments: str) -> str:
    """Run a module of .venv; return what it wrote to standard error if it fails."""
    command = [str(PYTHON), "-c", MODULE, *arguments]
    # distutils substitutes variables, of the environment too, in the path of .venv.
    names = re.findall(r"(\$\w+|{\w+})", os.getcwd())
    environment = {**{name.strip("${}"): name for name in names}, **os.environ}
    output: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        process = subprocess.Popen(command, pass_fds=[lock.fileno()], env=environment, **output)
    except OSError as error:  # the interpreter is gone
        return str(error)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    try:
        errors = process.communicate()[1].decode(errors="replace").strip()
    finally:
        process.terminate()
    return (errors or "unknown error") if process.returncode else ""


if __name__ == "__main__":
    # make passes on SIGTERM to this process alone, not to its children.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        main()
    except (OSError, ValueError) as error:  # ValueError: the path contains a colon
        sys.exit(f".venv cannot be created: {error}")
