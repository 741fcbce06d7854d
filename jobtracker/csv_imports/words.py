"""What the words of spreadsheets and trackers mean as a status and as a priority."""

import functools
import re
from enum import StrEnum

from jobtracker.csv_imports.folding import (
    GENDER_AND_NUMBER,
    bag_of_words,
    folded,
    phrases,
    vocabulary,
)
from jobtracker.jobs.models import Priority, Status

# What does not change the meaning of a status beside it: numbers, and how far something is.
_DETAILS = re.compile(
    r"\b(?:[0-9]+(?:st|nd|rd|th|er|e|eme|[oa])?|first|second|third|erst(?:e|es)|zweit(?:e|es)"
    r"|premier|deuxieme|primer|primera|segunda|primo|secondo|primeira|eerste|tweede|pierwsza|druga"
    r"|scheduled|booked|requested|completed|pending|stage|received|got|extended|made"
    r"|geplant|vereinbart|gefuhrt|erhalten|bekommen|prevu|passe|planifie|programme|recue?|programada"
    r"|recibida|fissato|programmato|ricevut[oa]|agendada|marcada|recebida|gepland|ontvangen"
    r"|otrzymano)\b"
)


_TABLES = {Status: "status", Priority: "priority"}


@functools.cache
def _meanings(kind: type[StrEnum]) -> dict[str, str]:
    """The meaning of each bag of words; of one that has several, the first."""
    found: dict[str, str] = {}
    for meaning, table in vocabulary()[_TABLES[kind]].items():
        for phrase in phrases(table):
            found.setdefault(bag_of_words(phrase, GENDER_AND_NUMBER), meaning)
    return found


def meaning_of(cell: str, kind: type[StrEnum]) -> str | None:
    """What the words of a cell mean as a status or as a priority; None if they are not known."""
    return _meaning_of(cell[:100], kind)


@functools.lru_cache(1024)
def _meaning_of(cell: str, kind: type[StrEnum]) -> str | None:
    meanings, words = _meanings(kind), folded(cell)
    found = (words, _DETAILS.sub("", words))
    keys = (bag_of_words(each, GENDER_AND_NUMBER) for each in found)
    return next((meanings[key] for key in keys if key in meanings), None)
