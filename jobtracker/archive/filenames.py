"""The names of documents' files in an archive."""

import re

# Of most file systems.
MAX_BYTES = 255
# What the file systems of Windows, macOS or Linux do not have in names, or archives in paths.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\u202a-\u202e\u2066-\u2069]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")


def path_of(document_id: int, original_filename: str) -> str:
    """The path of a document's file, whose last part any file system can have."""
    name = _FORBIDDEN.sub("_", original_filename).strip(" ").rstrip(". ")
    if not name or _RESERVED.fullmatch(name):
        name = f"_{name}"
    stem, dot, extension = name.rpartition(".")
    suffix = f".{extension}" if stem and dot and len(extension.encode()) <= 16 else ""
    cut = name.removesuffix(suffix).encode()[: MAX_BYTES - len(suffix.encode())]
    return f"documents/{document_id}/{cut.decode(errors='ignore')}{suffix}"
