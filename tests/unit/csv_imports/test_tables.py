"""Tables in any dialect, the words of their headers, and their statuses."""

import contextlib
import csv
import io
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtracker.csv_imports import files, headers, tables, words
from jobtracker.csv_imports.dialects import DELIMITERS
from jobtracker.csv_imports.folding import (
    GENDER_AND_NUMBER,
    bag_of_words,
    folded,
    phrases,
    vocabulary,
)
from jobtracker.errors import ValidationFailed
from jobtracker.fields import TimeZone
from jobtracker.jobs.models import Status

NAMES = ["Company", "Job title", "Notes", "Status"]
# Without what is trimmed, or repaired as text that was read wrongly.
CELLS = st.text(
    st.characters(codec="ascii", exclude_categories=["Cc"]) | st.sampled_from("\n,;\t|\"'äßß東🎉"),
    max_size=20,
).map(str.strip)
HEAD = st.text("abcXYZ019", min_size=1, max_size=5)
ROWS = st.lists(st.tuples(HEAD, CELLS, CELLS, CELLS), min_size=1, max_size=8)


def write(rows: list[Any], **dialect: Any) -> str:
    text = io.StringIO()
    csv.writer(text, **dialect).writerows([NAMES, *rows])
    return text.getvalue()


@given(
    ROWS,
    st.sampled_from(DELIMITERS),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["", "\ufeff"]),
)
def test_what_is_written_in_any_dialect_is_read(
    rows: list[Any], delimiter: str, line: str, quoting: Any, bom: str
):
    if line == "\r":  # csv.writer puts no line feed into quotation marks then, before Python 3.13
        quoting = csv.QUOTE_ALL
    text = write(rows, delimiter=delimiter, lineterminator=line, quoting=quoting)
    table = tables.read(bom + text, None)
    assert (table.delimiter, table.columns) == (delimiter, NAMES)
    read = [tuple(cell.strip() for cell in row.cells) for row in table.rows]
    assert read == [tuple(row) for row in rows]


def given_(**values: Any) -> dict[str, Any]:
    names = ("text", "base64", "mapping", "statuses", "date_format")
    return dict.fromkeys(names) | {"tz": TimeZone.UTC} | values


@given(
    st.text(st.sampled_from("ab,;\t|\n\r\"'=CompanyTitleDate03/04/2026\ufeff\0é"), max_size=200)
    | st.text(max_size=100)
)
def test_any_text_is_a_table_or_an_error_of_the_request(text: str):
    for each in (text, f"{text}\nCompany,Title\nAcme,Dev"):
        with contextlib.suppress(ValidationFailed):
            files.read(given_(text=each))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_an_error_of_the_request(data: bytes):
    with contextlib.suppress(ValidationFailed):
        files.read(given_(base64=data))


@pytest.mark.parametrize(
    "names",
    [
        "company;title;location;status;applied;url;tags;notes",
        "Firma;Stelle;Ort;Status;Beworben am;Stellenanzeige;Schlagwörter;Bemerkungen",
        "Société;Poste;Lieu;Statut;Date d'envoi;Lien;Étiquettes;Commentaires",
        "Empresa;Puesto;Lugar;Estado;Fecha de postulación;Enlace;Etiquetas;Observaciones",
        "Azienda;Ruolo;Città;Stato;Data di invio;Annuncio;Etichette;Appunti",
        "Empresa;Cargo;Localização;Situação;Candidatura em;Link da vaga;Marcadores;Anotações",
        "Bedrijf;Functie;Plaats;Voortgang;Gesolliciteerd op;Vacaturelink;Trefwoorden;Opmerkingen",
        "Pracodawca;Stanowisko;Miejsce pracy;Etap;Data aplikacji;Link do oferty;Tagi;Uwagi",
        "COMPANY NAME*;Job Title (required);Work  location;Stage:;Date-Applied;Job_URL;Labels;Note",
        "Org.;Role / Position;City & country;Status of the job;Date of application;Source/Link;Tag;"
        "Notes and comments",
    ],
)
def test_header_words_of_eight_languages(names: str):
    fields = ["company_name", "job_title", "location", "status", "applied_date", "job_url"]
    suggested = headers.suggested(names.split(";"), lambda _index, _field: True)
    assert list(suggested.values()) == [*fields, "tags", "notes"]


def test_hostile_cell_is_folded_in_little_time():
    begun = time.process_time()
    assert folded("\u0315\u0316" * 65_000) == ""
    assert time.process_time() - begun < 1


def test_fields_are_those_of_the_vocabulary():
    assert tuple(vocabulary()["headers"]) == headers.FIELDS


def test_words_are_folded_and_mean_one_thing():
    for table in vocabulary()["headers"].values():
        assert all(folded(name) == name for name in phrases(table.replace("|", ";")))
    for meanings in (vocabulary()[table] for table in words._TABLES.values()):
        found: dict[str, Any] = {}
        for meaning, table in meanings.items():
            for phrase in phrases(table):
                assert folded(phrase) == phrase
                assert found.setdefault(bag_of_words(phrase, GENDER_AND_NUMBER), meaning) == meaning


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        ("phone screen", Status.RECRUITER_SCREEN),
        ("Technical", Status.INTERVIEWING),
        ("Absage", Status.REJECTED),
        ("refusé", Status.REJECTED),
        (" RECRUITER_SCREEN ", Status.RECRUITER_SCREEN),
        ("✅ Offer!", Status.OFFER),
        ("3. Interview", Status.INTERVIEWING),
        ("1st Interview", Status.INTERVIEWING),
        ("No Response", Status.GHOSTED),
        ("Wishlist", Status.SAVED),
        ("Contratado", Status.ACCEPTED),
        ("Candidatura ritirata", Status.WITHDRAWN),
        ("Arquivado", Status.ARCHIVED),
        ("Refusées", Status.REJECTED),
        ("Phone Screen Scheduled", Status.RECRUITER_SCREEN),
        ("Zweites Vorstellungsgespräch", Status.INTERVIEWING),
        ("Final Round Interview", Status.ONSITE),
        ("Offer pending", Status.OFFER),
        ("Pending", Status.APPLIED),
        ("Declined the offer", Status.WITHDRAWN),
        ("Wysłano CV", Status.APPLIED),
        ("Geen reactie", Status.GHOSTED),
        ("Hm", None),
        ("🎉", None),
        ("3", None),
    ],
)
def test_status_of_words(cell: str, status: Status | None):
    assert words.meaning_of(cell, Status) == status


@pytest.mark.parametrize("status", Status)
def test_each_status_means_itself(status: Status):
    for cell in (status, status.replace("_", " ").title()):
        assert words.meaning_of(cell, Status) == status


def test_column_without_a_name_of_its_own_is_named_by_its_index():
    names = ["Company", "", "Title", "title", "7"]
    assert headers.column_keys(names) == ["Company", "1", "2", "3", "4"]
    assert [headers.index_of(key, names) for key in headers.column_keys(names)] == [0, 1, 2, 3, 4]
    assert headers.index_of(" COMPANY", names) == 0
    assert headers.index_of("Title", names) is None
    assert headers.index_of("5", names) is None
