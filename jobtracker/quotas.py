"""Quotas: how much a user can store, by the settings ``quotas.*``."""

from jobtracker.errors import Conflict

#: The message of the error for each quota; its setting is ``quotas.<name>``.
MESSAGES = {
    "jobs": "You can have at most {} jobs.",
    "notes_per_job": "A job can have at most {} notes.",
    "interviews_per_job": "A job can have at most {} interviews.",
    "history_per_job": "A job can have at most {} steps.",
    "documents": "You can have at most {} documents.",
    "document_bytes": "Your documents can have at most {} in all.",
    "saved_views": "You can have at most {} saved views.",
    "idempotency_keys": "You can use at most {} idempotency keys in 24 hours.",
}

#: Nothing is refused for the activity: of each job, its oldest entries are dropped.
ACTIVITY_PER_JOB = "activity_per_job"

QUOTAS = (*MESSAGES, ACTIVITY_PER_JOB)


def size_in_words(number: int) -> str:
    """A number of bytes, with its mebibytes."""
    mebibytes = number / 1024**2
    return f"{number} bytes ({mebibytes:{'.3g' if mebibytes < 1000 else '.0f'}} MiB)"


class QuotaExceeded(Conflict):
    """The user, or the job, has as many as the quota allows."""

    def __init__(self, name: str, limit: int) -> None:
        details = {"code": "QUOTA_EXCEEDED", "quota": name, "limit": limit}
        shown = size_in_words(limit) if name == "document_bytes" else limit
        super().__init__(MESSAGES[name].format(shown), details=details)
