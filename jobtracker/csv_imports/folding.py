"""Words of files as they are compared: without case, accents, punctuation and emoji."""

import functools
import re
import tomllib
import unicodedata
from pathlib import Path

from jobtracker import unicode

# Normalization sorts combining characters in quadratic time, and a cell can have 131,072 of them.
_MAX_LENGTH = 200
# Articles and prepositions on which no meaning depends.
_FILLERS = re.compile(
    r"\b(?:of|the|my|to|for|der|die|das|den|dem|des|zur|zum|de|la|le|les|l|d|du|del|el|los|las|il"
    r"|di|della|dell|dello|da|do|dos|het|een|van|voor)\b"
)
#: Endings of words: the plural, and also the gender of participles.
PLURAL = re.compile(r"(?<=\w{3})s$")
GENDER_AND_NUMBER = re.compile(r"(?<=\w{3})(?:ee|[aeo])?s?$")
_PHRASE = re.compile(r"[^;\s][^;\n]*")


@functools.cache
def vocabulary() -> dict[str, dict[str, str]]:
    """The known words, by what they name: vocabulary.toml, read on first use."""
    return tomllib.loads((Path(__file__).parent / "vocabulary.toml").read_text(encoding="utf-8"))


def folded(text: str) -> str:
    """``refuse apres entretien`` for ``Refusé - après entretien!``; of a long one its beginning."""
    decomposed = unicodedata.normalize("NFKD", unicode.comparison_key(text[:_MAX_LENGTH]))
    kept = (
        character if character.isalnum() else " "
        for character in decomposed
        if not unicodedata.combining(character)
    )
    return " ".join("".join(kept).split())


def bag_of_words(text: str, ending: re.Pattern[str]) -> str:
    """The folded words in alphabetical order, without fillers and endings: ``date envoi`` for
    ``Date d'envoi``."""
    words = folded(text)
    kept = {ending.sub("", word) for word in _FILLERS.sub(" ", words).split()}
    return " ".join(sorted(kept)) or words


def phrases(table: str) -> list[str]:
    """What is separated by semicolons and line breaks."""
    return [phrase.strip() for phrase in _PHRASE.findall(table)]
