"""The rows of archives that are made by hand."""

from typing import Any

from tests.common.imports import archive_of, ndjson

TIME = "2026-01-05T10:00:00.000000Z"
TRASH: dict[str, Any] = {"trashed_at": None, "trash_reason": None}
CHILD = {**TRASH, "previous_activity_at": None}


def job(job_id: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": job_id,
        "company_name": f"Company {job_id}",
        "job_title": "Engineer",
        "location": None,
        "status": "applied",
        "applied_date": None,
        "job_url": None,
        "tags": [],
        "priority": "normal",
        "next_action_at": None,
        "next_action_title": None,
        "last_action_at": None,
        "created_at": TIME,
        "updated_at": TIME,
        "version": 1,
        "last_activity_at": TIME,
        "restored_at": None,
        **TRASH,
        **fields,
    }


def step(step_id: int = 1, job_id: int = 1, **fields: Any) -> dict[str, Any]:
    ids = {"id": step_id, "application_id": job_id}
    return {**ids, "status": "applied", "at": TIME, "created_at": TIME, "origin": None, **fields}


def note(note_id: int = 1, job_id: int = 1, **fields: Any) -> dict[str, Any]:
    ids = {"id": note_id, "application_id": job_id}
    return {**ids, "body": "Called.", "created_at": TIME, **CHILD, **fields}


def event(event_id: int = 1, job_id: int = 1, **fields: Any) -> dict[str, Any]:
    ids = {"id": event_id, "application_id": job_id}
    what = {"type": "job_created", "message": "Job added", "data": {}}
    return {**ids, **what, "created_at": TIME, **fields}


def interview(interview_id: int = 1, job_id: int = 1, **fields: Any) -> dict[str, Any]:
    texts = dict.fromkeys(("stage", "kind", "location", "interviewer", "notes"))
    times = {"scheduled_at": TIME, "created_at": TIME, "updated_at": TIME}
    ids = {"id": interview_id, "application_id": job_id}
    return {**ids, **texts, **times, "status": "scheduled", **CHILD, **fields}


def document(document_id: int = 1, job_id: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": document_id,
        "application_id": job_id,
        "doc_type": "resume",
        "original_filename": "cv.pdf",
        "content_type": "application/pdf",
        "size_bytes": 3,
        "status": "uploaded",
        "scan_status": "NOT_SCANNED",
        "scan_checked_at": None,
        "scan_message": None,
        "uploaded_at": TIME,
        "created_at": TIME,
        **CHILD,
        "file": f"documents/{document_id}/cv.pdf",
        **fields,
    }


def view(view_id: int = 1, **fields: Any) -> dict[str, Any]:
    times = {"created_at": TIME, "updated_at": TIME}
    return {"id": view_id, "name": f"View {view_id}", "data": {}, **times, **TRASH, **fields}


def entries_of(**rows: list[dict[str, Any]]) -> dict[str, bytes]:
    """The entries of kinds, by their names."""
    return {f"{name}.ndjson": ndjson(*of_kind) for name, of_kind in rows.items()}


def archive(files: dict[str, bytes] | None = None, **rows: list[dict[str, Any]]) -> bytes:
    """An archive of rows by kind, and of the files of documents."""
    return archive_of({**entries_of(**rows), **(files or {})})
