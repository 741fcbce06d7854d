"""Words of files as they are compared: without case, accents, punctuation and emoji."""

import re
import unicodedata

from jobtracker import unicode

# Normalization sorts combining characters in quadratic time, and a cell can have 131,072 of them.
_MAX_LENGTH = 200
_NUMBER = re.compile("[0-9]+ (?=[^0-9])")


def folded(text: str) -> str:
    """``refuse apres entretien`` for ``Refusé - après entretien!``; of a long one its beginning."""
    decomposed = unicodedata.normalize("NFKD", unicode.comparison_key(text[:_MAX_LENGTH]))
    kept = (
        character if character.isalnum() else " "
        for character in decomposed
        if not unicodedata.combining(character)
    )
    return " ".join("".join(kept).split())


def without_number(word: str) -> str:
    """A folded word without the number that it is sorted by: ``applied`` of ``1 applied``."""
    found = _NUMBER.match(word)
    return word[found.end() :] if found else word
