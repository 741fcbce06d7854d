"""Accounts with something of each kind, in the application that commits."""

from typing import Any

import pytest

from tests.common.api import Api
from tests.common.documents import Documents
from tests.common.exports import clear
from tests.common.trash import trash_one_of_each


@pytest.fixture
def documents(client: Api, s3: Any, bucket: str) -> Documents:
    """A job with a resume that was replaced, and a pending upload."""
    documents = Documents(client, s3, bucket)
    clear(s3, bucket)
    documents.uploaded()
    documents.uploaded(filename="../Lebenslauf: né.pdf")
    documents.presign("thank_you")
    return documents


@pytest.fixture
def filled(client: Api, documents: Documents) -> Documents:
    """The same, with something of each kind."""
    job = documents.job_path
    client.post(f"{job}/notes", {"body": 'Hi\u2028there,\n"Grüße" \U0001f44b'})
    client.post(f"{job}/interviews", {"scheduled_at": "2026-12-01T09:00:00+01:00", "kind": "call"})
    client.post("/saved-views", {"name": "Mine", "data": {"big": 1e300, "text": "\ufffd"}})
    client.patch(job, {"status": "offer", "tags": ["a", "b"], "applied_date": "2026-01-02"})
    client.put("/users/me/settings", {"theme": "light", "data_retention_days": 30})
    client.patch("/users/me/ui-preferences", {"preferences": {"compact": True}})
    trash_one_of_each(client, job)
    return documents
