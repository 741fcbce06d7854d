"""Containers without Docker: the instructions of a Dockerfile, on overlays of this machine's root.

Mount namespaces and overlays are Linux's, and need root. The base image is this machine, whose
interpreter is ``python`` and whose pip is ``pip``.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

SECONDS_TO_BUILD = 600
# Of the base image.
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
TEMPORARY = "/tmp"  # noqa: S108 (of the image)
# Where pip finds packages on this machine.
BUILD_ARGUMENTS = {
    name: value
    for name, value in os.environ.items()
    if name.lower().endswith("_proxy") or name.startswith("PIP_")
}


class Image:
    """The file system of a stage, and what its instructions have set."""

    def __init__(self, machine: "Machine", name: str) -> None:
        self.machine = machine
        self.root = machine.overlay(name)
        self.env: dict[str, str] = {}
        self.folder, self.user, self.stop_signal = "/", "0:0", "SIGTERM"
        self.entrypoint: list[str] = []
        self.command: list[str] = []
        self.healthcheck: list[str] = []

    def path(self, inside: str) -> Path:
        """The path of a file of the image, as this process can open it."""
        return self.machine.path(self.root) / str(Path("/", self.folder, inside))[1:]

    def popen(
        self, command: list[str], env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[Any]:
        """Start a command in it, which is the process itself."""
        every = {"PATH": PATH, **self.env, **(env or {})}
        variables = [f"{name}={value}" for name, value in every.items()]
        enter = ["nsenter", f"--mount=/proc/{self.machine.pid}/ns/mnt"]
        chroot = ["chroot", f"--userspec={self.user}", self.root]
        inside = ["env", "-i", f"--chdir={self.folder}", *variables]
        return subprocess.Popen(  # noqa: S603
            [*enter, *chroot, *inside, *command], text=True, **options
        )

    def run(self, command: list[str], env: Mapping[str, str] | None = None) -> str:
        """Run a command in it; AssertionError with its output if it fails."""
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with self.popen(command, env, **pipe) as process:
            output, _ = process.communicate(timeout=SECONDS_TO_BUILD)
        assert process.returncode == 0, f"{shlex.join(command)}: {output}"
        return str(output)

    def make_read_only(self) -> None:
        """As with ``docker run --read-only --tmpfs /tmp``."""
        self.machine.mount("-o", "remount,ro", self.root)
        self.machine.mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{self.root}{TEMPORARY}")


class Machine:
    """A mount namespace, with the overlays of images on a tmpfs."""

    FOLDER = "/mnt"

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.mount("-t", "tmpfs", "tmpfs", self.FOLDER)

    def path(self, inside: str) -> Path:
        return Path(f"/proc/{self.pid}/root{inside}")

    def mount(self, *arguments: str) -> None:
        enter = ["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "mount"]
        subprocess.run([*enter, *arguments], check=True, capture_output=True)  # noqa: S603

    def overlay(self, name: str) -> str:
        """A file system of its own, with that of this machine below."""
        upper, work, root = (f"{self.FOLDER}/{name}/{part}" for part in ("upper", "work", "root"))
        for each in (upper, work, root):
            self.path(each).mkdir(parents=True)
        options = f"lowerdir=/,upperdir={upper},workdir={work}"
        self.mount("-t", "overlay", "-o", options, "overlay", root)
        for each in ("proc", "dev"):
            self.mount("--rbind", f"/{each}", f"{root}/{each}")
        self._make_base_image(self.path(root))
        return root

    def _make_base_image(self, root: Path) -> None:
        """Let all users run this interpreter, as ``python``, and its pip."""
        interpreter = Path(sys.executable).resolve()
        for parent in interpreter.parents[:-1]:
            each = root / str(parent)[1:]
            each.chmod(each.stat().st_mode | 0o055)
        programs = {"python": interpreter, "pip": f"{sys.executable} -m pip"}
        for name, command in programs.items():
            program = root / "usr/local/bin" / name
            program.unlink(missing_ok=True)
            program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            program.chmod(0o755)


@contextmanager
def machine() -> Iterator[Machine]:
    """A mount namespace, which ends with all of its mounts.

    :raises OSError: without the permission to make one
    """
    holder = subprocess.Popen(
        ["unshare", "--mount", "--propagation=private", "sh", "-c", "echo; exec cat"],  # noqa: S607
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        if not holder.stdout.readline():
            raise PermissionError("no mount namespace can be made")
        yield Machine(holder.pid)
    finally:
        holder.kill()
        holder.communicate()


class Instruction(NamedTuple):
    name: str
    text: str

    def words(self) -> list[str]:
        """The words of the exec form, or of the shell form as arguments of the shell."""
        if self.text.startswith("["):
            words: list[str] = json.loads(self.text)
            return words
        return ["/bin/sh", "-c", self.text]


def instructions(dockerfile: str) -> Iterator[Instruction]:
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", "").splitlines():
        if line.strip():
            name, _, text = line.strip().partition(" ")
            yield Instruction(name.upper(), text.strip())


def build(dockerfile: str, context: Path, machine: Machine) -> Image:
    """Carry out the instructions of a Dockerfile, and return its last stage."""
    images: list[Image] = []
    names: dict[str, Image] = {}
    for each in instructions(dockerfile):
        if each.name == "FROM":
            images.append(Image(machine, f"stage-{len(images)}"))
            names[each.text.partition(" AS ")[2]] = images[-1]
        else:
            _carry_out(each, images[-1], context, names)
    return images[-1]


def _carry_out(
    instruction: Instruction, image: Image, context: Path, names: Mapping[str, Image]
) -> None:
    match instruction.name:
        case "ENV":
            image.env |= dict(word.split("=", 1) for word in shlex.split(instruction.text))
        case "WORKDIR":
            image.folder = str(Path(image.folder, instruction.text))
            image.path(".").mkdir(parents=True, exist_ok=True)
        case "COPY":
            _copy(shlex.split(instruction.text), image, context, names)
        case "RUN":
            image.run(instruction.words(), BUILD_ARGUMENTS)
        case "USER":
            image.user = instruction.text
        case "STOPSIGNAL":
            image.stop_signal = instruction.text
        case "HEALTHCHECK":
            image.healthcheck = json.loads(instruction.text.partition("CMD ")[2])
        case "ENTRYPOINT":
            image.entrypoint = instruction.words()
        case "CMD":
            image.command = instruction.words()
        case "EXPOSE" | "LABEL":
            pass
        case _:
            raise NotImplementedError(instruction.name)


def _copy(words: list[str], image: Image, context: Path, names: Mapping[str, Image]) -> None:
    target = image.path(words.pop())
    if words[0].startswith("--from="):
        source = names[words.pop(0).removeprefix("--from=")]
        for each in words:
            shutil.copytree(source.path(each), target, symlinks=True, dirs_exist_ok=True)
        return
    for each in words:
        for file in sorted(_sent(context)):
            if not file.is_relative_to(each):
                continue
            is_one = (context / each).is_file()
            copied = target / (file.name if is_one else file.relative_to(each))
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(context / file, copied, follow_symlinks=False)


def _sent(context: Path) -> Iterator[Path]:
    """The files of the context that .dockerignore does not exclude; its last match decides."""
    lines = (context / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=context,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in tracked.stdout.split("\0")[:-1]:
        file = Path(name)
        ancestors = [file, *file.parents][:-1]
        is_sent = True
        for pattern in patterns:
            bare = pattern.removeprefix("!").removeprefix("**/")
            if "**/" in pattern:
                matches = any(fnmatch(part, bare) for part in file.parts)
            else:
                matches = any(fnmatch(str(each), bare) for each in ancestors)
            if matches:
                is_sent = pattern.startswith("!")
        if is_sent:
            yield file
