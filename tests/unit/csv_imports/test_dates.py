"""Dates of spreadsheets and trackers."""

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtracker.csv_imports import dates

DAY = datetime.date(2026, 4, 3)


@pytest.mark.parametrize(
    "cell",
    [
        *("2026-04-03", "2026-4-3", "2026/04/03", "2026.04.03", "20260403", "46115", "46115.75"),
        *(
            "46115,75",
            "03.04.2026",
            "3.4.26",
            "03. 04. 2026",
            "3.4.2026 14:30 Uhr",
            "Fr., 03.04.2026",
        ),
        *("Apr 3, 2026", "April 3rd, 2026", "Fri, Apr 3, 2026", "3-Apr-26", "3 April 2026"),
        *("3rd of April 2026", "2026 Apr 3", "@April 3, 2026", "April 3, 2026 → April 5, 2026"),
        *("3. April 2026", "Freitag, 3. April 2026", "3 avril 2026", "vendredi 3 avr. 2026"),
        *("3 de abril de 2026", "3 abr 2026", "viernes, 3 de abril de 2026", "3 aprile 2026"),
        *("vrijdag 3 april 2026", "3-apr.-26", "3 kwietnia 2026 r.", "2026 3 April"),
        "Fri Apr 03 2026 10:00:00 GMT+0200 (Central European Summer Time)",
        *("venerdì 3 apr 2026", "3 de abr. de 2026", "sexta-feira, 3 de abril de 2026"),
        *("2026-04-03T10:00:00.000Z", "2026-04-03 10:00:00 +0200", "April 3, 2026 at 2:30 PM"),
        *("3 avril 2026 à 14h30", "3 de abril de 2026, 14:30", "Fr 03.04.2026 14:30 Uhr"),
    ],
)
def test_date_is_read(cell: str):
    moment = dates.parse(cell)
    assert moment is not None
    assert moment.day == DAY
    assert len(dates.formats_of([cell])) <= 1


@pytest.mark.parametrize(
    "cell",
    [
        *("", "soon", "2026", "April 2026", "4/2026", "31.02.2026", "00/00/0000", "2026-13-01"),
        *("1/1/0001", "0001-01-01", "9999-12-31", "3 juk 2026", "3 ju 2026", "12", "1234567"),
        *("2026-04-03 25:00", "2026-04-03 13:00 PM", "3.4.", "2026-04-03-05", "x" * 1000, "1" * 99),
    ],
)
def test_what_is_no_date_is_none(cell: str):
    assert dates.parse(cell) is None
    assert dates.parse(cell, dates.MDY) is None


@pytest.mark.parametrize("separator", ["/", "-", " / "])
def test_ambiguous_date_is_that_of_its_format(separator: str):
    cell = separator.join(("03", "04", "2026"))
    assert [dates.order_of(each) for each in dates.formats_of([cell])] == [dates.DMY, dates.MDY]
    assert dates.parse(cell, dates.DMY) == (DAY, datetime.time(), None)
    assert dates.parse(cell, dates.MDY) == (datetime.date(2026, 3, 4), datetime.time(), None)


@pytest.mark.parametrize(
    ("cells", "formats"),
    [
        (["03/04/2026", "13/04/2026"], ["DD/MM/YYYY"]),
        (["03/04/2026", "04/13/2026"], ["MM/DD/YYYY"]),
        (["03/04/2026", "2026-04-13", "Apr 13, 2026"], ["DD/MM/YYYY", "MM/DD/YYYY"]),
        (["13/04/2026", "04/13/2026"], ["DD/MM/YYYY", "MM/DD/YYYY"]),
        (["04/04/2026"], []),
        (["2026-04-13", ""], ["YYYY-MM-DD"]),
        (["nothing"], []),
    ],
)
def test_other_dates_say_which_format_it_is(cells: list[str], formats: list[str]):
    assert dates.formats_of(cells) == formats


@pytest.mark.parametrize(
    ("date_format", "order"),
    [
        ("DD/MM/YYYY", dates.DMY),
        ("d.m.yy", dates.DMY),
        ("%m/%d/%Y", dates.MDY),
        ("YYYY-MM-DD", dates.YMD),
        ("dmy", dates.DMY),
        ("MM/YYYY", None),
        ("YYYY-DD-MM", None),
        ("DD/DD/YYYY", None),
    ],
)
def test_order_of_a_format(date_format: str, order: str | None):
    assert dates.order_of(date_format) == order


def test_time_is_that_of_the_zone_unless_it_has_an_offset():
    vienna = ZoneInfo("Europe/Vienna")
    late = dates.parse("2026-04-03T22:30:00Z")
    assert late is not None
    assert late.date_in(vienna) == datetime.date(2026, 4, 4)
    assert late.date_in(datetime.UTC) == DAY
    local = dates.parse("3.4.2026 22:30")
    assert local is not None
    assert local.date_in(vienna) == DAY
    assert local.at(vienna).astimezone(datetime.UTC).time() == datetime.time(20, 30)


@given(st.text(alphabet="0123456789/.-: ,TZapm+JanfevrMär'→@", max_size=40) | st.text(max_size=60))
def test_any_text_is_a_date_or_none(cell: str):
    for order in (None, dates.DMY, dates.MDY, dates.YMD):
        moment = dates.parse(cell, order)
        if moment is not None:
            assert moment.date_in(ZoneInfo("Pacific/Kiritimati"))
            assert moment.at(ZoneInfo("Pacific/Apia")).astimezone(datetime.UTC)
    dates.formats_of([cell])


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2199, 12, 31)))
def test_every_date_is_read_in_every_format(day: datetime.date):
    for order, pattern in ((dates.DMY, "%d/%m/%Y"), (dates.MDY, "%m-%d-%Y"), (None, "%Y/%m/%d")):
        moment = dates.parse(day.strftime(pattern), order)
        assert moment is not None
        assert moment.day == day
