"""The messages of quotas."""

import pytest

from jobtracker.quotas import QuotaExceeded


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (1024**3, "Your documents can have at most 1073741824 bytes (1024 MiB) in all."),
        (5 * 1024**2, "Your documents can have at most 5242880 bytes (5 MiB) in all."),
        (1536 * 1024, "Your documents can have at most 1572864 bytes (1.5 MiB) in all."),
    ],
)
def test_message_of_a_size_has_mebibytes(limit: int, expected: str):
    assert QuotaExceeded("document_bytes", limit).message == expected
