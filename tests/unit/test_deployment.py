"""deploy/kubernetes/ and deploy/systemd/: what their linters do not see."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobtracker.local import CHECKOUT

DEPLOY = CHECKOUT / "deploy"
SYSTEMD = DEPLOY / "systemd"
SERVICES = sorted(path.name for path in SYSTEMD.glob("*.service"))
# Of 100; that of a unit without any restriction is 96.
MAX_EXPOSURE = 20

with_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)


def manifests() -> Iterator[dict[str, Any]]:
    for path in (DEPLOY / "kubernetes").glob("*.yaml"):
        yield from yaml.safe_load_all(path.read_text())


def pod_specs() -> dict[str, dict[str, Any]]:
    """The specifications of pods, by the name of their container."""
    specs = []
    for manifest in manifests():
        spec = manifest.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            specs.append(spec["template"]["spec"])
    return {spec["containers"][0]["name"]: spec for spec in specs}


def required_variables() -> set[str]:
    lines = (CHECKOUT / "production.ini").read_text().splitlines()
    required = "\n".join(line for line in lines if not line.startswith("#"))
    return set(re.findall(r"\$\{(\w+)\}", required))


def test_kustomization_lists_all_manifests_but_examples():
    folder = DEPLOY / "kubernetes"
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    files = {path.name for path in folder.glob("*.yaml")}
    assert files - set(listed) == {"kustomization.yaml", "secret.example.yaml"}


def test_pods_have_all_variables_of_production_ini():
    data = next(each["data"] for each in manifests() if each["kind"] == "ConfigMap")
    assert {name.removesuffix("_FILE") for name in data} == required_variables()
    files = {Path(path).name for name, path in data.items() if name.endswith("_FILE")}
    for manifest in manifests():
        if manifest["kind"] == "Secret":
            assert manifest["stringData"].keys() == files


def test_pods_end_only_after_the_requests_that_have_begun():
    ini = (CHECKOUT / "production.ini").read_text()
    seconds = sum(
        int(match[1])
        for name in ("drain_seconds", "seconds_to_finish")
        if (match := re.search(rf"^#?{name} = (\d+)", ini, re.MULTILINE))
    )
    spec = pod_specs()["server"]
    sleep = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] > sleep + seconds
    unit = (SYSTEMD / "jobtracker.service").read_text()
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert stop is not None
    assert int(stop[1]) > seconds


def test_all_pods_run_without_privileges():
    specs = pod_specs()
    assert specs.keys() == {"server", "worker", "sweeper", "migration"}
    for spec in specs.values():
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@with_systemd
def test_systemd_accepts_the_units(tmp_path: Path):
    """In a root of its own: the paths of the units are those of an installation."""
    program = tmp_path / "opt/jobtracker/.venv/bin/jobtracker"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    units = tmp_path / "etc/systemd/system"
    shutil.copytree(SYSTEMD, units)
    names = sorted(path.name for path in units.iterdir())
    command = ["systemd-analyze", "verify", f"--root={tmp_path}", "--man=no"]
    done = subprocess.run(  # noqa: S603
        [*command, "--recursive-errors=no", *names], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@with_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_services_are_hardened(name: str):
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MAX_EXPOSURE}"]
    done = subprocess.run(  # noqa: S603
        [*command, "--no-pager", SYSTEMD / name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
