"""A new kind of child of a job: a folder, a migration, and a line in jobtracker/__init__.py."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from jobtracker.local import CHECKOUT

EXTENSION = Path(__file__).parent / "extension"
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "var", "build")

# Tests of all endpoints, tables and schemas there are.
TESTS = [
    "tests/functional/test_contacts.py",
    "tests/functional/test_security.py::test_every_endpoint_declares_its_permission_and_context",
    "tests/functional/test_security.py::test_protected_endpoint_without_a_token_answers_401",
    "tests/functional/test_security.py::test_resources_of_other_users_answer_as_missing_ones",
    "tests/functional/db/test_schema.py::TestMigrations::test_migrations_agree_with_the_models",
    "tests/functional/db/test_schema.py::TestMigrations::test_migrations_downgrade_and_upgrade_again",
    "tests/functional/openapi/test_document.py",
]


def test_new_kind_of_child_needs_a_folder_a_migration_and_one_line(tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(CHECKOUT, copy, symlinks=True, ignore=NOT_COPIED)
    shutil.copytree(EXTENSION / "contacts", copy / "jobtracker" / "contacts")
    versions = copy / "migrations" / "versions"
    head = max(re.findall("^[0-9]+", path.name)[0] for path in versions.glob("*.py"))
    migration = (EXTENSION / "migration.py").read_text().replace("{head}", head)
    (versions / "9999_contacts.py").write_text(migration)
    shutil.copy(EXTENSION / "contacts_tests.py", copy / TESTS[0])
    package = copy / "jobtracker" / "__init__.py"
    line = '    "jobtracker.notes",\n'
    source = package.read_text()
    assert line in source
    package.write_text(source.replace(line, f'{line}    "jobtracker.contacts",\n'))
    tested = subprocess.run(  # noqa: S603 (our own tests)
        [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *TESTS],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout[-5000:] + tested.stderr[-2000:]
    assert "no tests ran" not in tested.stdout
