"""The JSON Schemas (draft 2020-12) of archives: ``python -m jobtracker.archive.json_schema FOLDER``
writes them as files, docs/export-schemas."""

import json
import sys
from pathlib import Path

from jobtracker.archive import manifest
from jobtracker.archive.kinds import ARCHIVE_KINDS
from jobtracker.archive.values import JsonSchema

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, JsonSchema]:
    """By the name of the file: those of the manifest, and of the rows of each kind."""
    of_files = {"manifest": manifest.SCHEMA, **{kind.name: kind.schema for kind in ARCHIVE_KINDS}}
    return {
        f"{name}.schema.json": {"$schema": DRAFT, "title": name, **schema}
        for name, schema in of_files.items()
    }


def main(folder: Path) -> None:
    for name, schema in schemas().items():
        (folder / name).write_text(json.dumps(schema, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
