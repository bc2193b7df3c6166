from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from memories.analyzers.dates import find_dates

WEDNESDAY = datetime(2026, 3, 11, 15, 30, tzinfo=UTC)

ENGLISH = [
    ("Call the plumber on Tuesday.", "on Tuesday", date(2026, 3, 17)),
    ("next Tuesday we meet", "next Tuesday", date(2026, 3, 17)),
    ("The budget is due next Friday, I think.", "next Friday", date(2026, 3, 20)),
    ("by this Friday at 5", "by this Friday", date(2026, 3, 13)),
    ("Friday morning is fine", "Friday morning", date(2026, 3, 13)),
    ("see you on Wednesday", "on Wednesday", date(2026, 3, 18)),
    ("See you tomorrow.", "tomorrow", date(2026, 3, 12)),
    ("tomorrow morning at nine", "tomorrow morning", date(2026, 3, 12)),
    ("The day after tomorrow we leave", "The day after tomorrow", date(2026, 3, 13)),
    ("I will do it tonight", "tonight", date(2026, 3, 11)),
    ("today at noon", "today", date(2026, 3, 11)),
    ("in two weeks we go", "in two weeks", date(2026, 3, 25)),
    ("within 10 days", "within 10 days", date(2026, 3, 21)),
    ("in a month", "in a month", date(2026, 4, 11)),
    ("In a fortnight.", "In a fortnight", date(2026, 3, 25)),
    ("three days from now", "three days from now", date(2026, 3, 14)),
    ("a week from Friday", "a week from Friday", date(2026, 3, 20)),
    ("on the 3rd of March", "on the 3rd of March", date(2027, 3, 3)),
    ("the eleventh of March", "the eleventh of March", date(2026, 3, 11)),
    ("the twenty-first of june", "the twenty-first of june", date(2026, 6, 21)),
    ("March 31st", "March 31st", date(2026, 3, 31)),
    ("on May 3, 2027 in Rome", "on May 3, 2027", date(2027, 5, 3)),
    ("on the 15th.", "on the 15th", date(2026, 3, 15)),
    ("by the 3rd I need it", "by the 3rd", date(2026, 4, 3)),
    ("before the end of April", "before the end of April", date(2026, 4, 30)),
    ("at the end of the month", "at the end of the month", date(2026, 3, 31)),
    ("by the end of the week", "by the end of the week", date(2026, 3, 13)),
    ("this weekend", "this weekend", date(2026, 3, 14)),
    ("next weekend", "next weekend", date(2026, 3, 21)),
    ("next week", "next week", date(2026, 3, 18)),
    ("due 2026-04-01", "2026-04-01", date(2026, 4, 1)),
]

SPANISH = [
    ("Lo vemos mañana.", "mañana", date(2026, 3, 12)),
    ("Mañana por la mañana salimos", "Mañana por la mañana", date(2026, 3, 12)),
    ("pasado mañana", "pasado mañana", date(2026, 3, 13)),
    ("hoy mismo lo hago", "hoy mismo", date(2026, 3, 11)),
    ("esta noche cenamos", "esta noche", date(2026, 3, 11)),
    ("El próximo martes hay reunión", "El próximo martes", date(2026, 3, 17)),
    ("el martes que viene", "el martes que viene", date(2026, 3, 17)),
    ("el viernes", "el viernes", date(2026, 3, 13)),
    ("salir el viernes por la mañana", "el viernes por la mañana", date(2026, 3, 13)),
    ("antes del lunes", "antes del lunes", date(2026, 3, 16)),
    ("para el sábado", "para el sábado", date(2026, 3, 14)),
    ("este miércoles", "este miércoles", date(2026, 3, 18)),
    ("dentro de dos semanas", "dentro de dos semanas", date(2026, 3, 25)),
    ("en tres días", "en tres días", date(2026, 3, 14)),
    ("en quince días", "en quince días", date(2026, 3, 26)),
    ("dentro de un mes", "dentro de un mes", date(2026, 4, 11)),
    ("el 3 de marzo", "el 3 de marzo", date(2027, 3, 3)),
    ("el tres de abril", "el tres de abril", date(2026, 4, 3)),
    ("el treinta y uno de mayo", "el treinta y uno de mayo", date(2026, 5, 31)),
    ("el 5 de enero de 2028", "el 5 de enero de 2028", date(2028, 1, 5)),
    ("el día 15", "el día 15", date(2026, 3, 15)),
    ("la semana que viene", "la semana que viene", date(2026, 3, 18)),
    ("el próximo mes", "el próximo mes", date(2026, 4, 11)),
    ("este fin de semana", "este fin de semana", date(2026, 3, 14)),
    ("el próximo fin de semana", "el próximo fin de semana", date(2026, 3, 21)),
    ("a finales de abril", "a finales de abril", date(2026, 4, 30)),
    ("antes de fin de mes", "antes de fin de mes", date(2026, 3, 31)),
]

NO_DATES_EN = [
    "You may go.",
    "May I go?",
    "She sat down and we left.",
    "The sun shone.",
    "Two eggs and 3 onions.",
    "They march 3 miles.",
    "On the 15th floor.",
    "April 31",
    "March 45",
    "last Tuesday",
    "every Friday",
    "On Tuesdays we rest.",
    "Black Friday was loud.",
    "Two weeks ago.",
    "yesterday",
    "in 2027",
    "in May",
    "in second place",
    "I said so on the 3rd of March 2020.",
    "Chapter 3, verse 16.",
    "In two minds.",
    "",
]

NO_DATES_ES = [
    "por la mañana",
    "a las ocho de la mañana",
    "el mañana no existe",
    "el martes pasado",
    "el pasado viernes",
    "los lunes descanso",
    "todos los viernes",
    "cada lunes",
    "hace dos años que no vemos a los abuelos",
    "ayer",
    "El segundo plato.",
    "en marzo",
    "el 31 de abril",
    "el fin de semana pasado",
    "tres de copas",
    "Viernes Santo",
    "En dos palabras.",
    "El mar estaba en calma.",
]


def found(text: str, language: str, recorded_at: datetime = WEDNESDAY) -> list[tuple[str, date]]:
    return [(mention.quote, mention.day) for mention in find_dates(text, language, recorded_at)]


@pytest.mark.parametrize(("text", "quote", "day"), ENGLISH)
def test_an_english_date_is_found_resolved_and_quoted(text: str, quote: str, day: date) -> None:
    assert found(text, "en") == [(quote, day)]


@pytest.mark.parametrize(("text", "quote", "day"), SPANISH)
def test_a_spanish_date_is_found_resolved_and_quoted(text: str, quote: str, day: date) -> None:
    assert found(text, "es") == [(quote, day)]


@pytest.mark.parametrize("text", NO_DATES_EN)
def test_english_words_that_are_no_date_ahead_give_nothing(text: str) -> None:
    assert found(text, "en") == []


@pytest.mark.parametrize("text", NO_DATES_ES)
def test_spanish_words_that_are_no_date_ahead_give_nothing(text: str) -> None:
    assert found(text, "es") == []


def test_several_dates_come_in_the_order_in_which_they_were_said() -> None:
    assert found("Tomorrow or next Tuesday, at the latest on March 20th.", "en") == [
        ("Tomorrow", date(2026, 3, 12)),
        ("next Tuesday", date(2026, 3, 17)),
        ("on March 20th", date(2026, 3, 20)),
    ]


def test_offsets_point_at_the_quote() -> None:
    text = "We meet on Friday, or el viernes."
    mention = find_dates(text, "en", WEDNESDAY)[0]
    assert text[mention.start : mention.end] == mention.quote == "on Friday"


@pytest.mark.parametrize(
    ("recorded_at", "day"),
    [
        (datetime(2026, 3, 9, tzinfo=UTC), date(2026, 3, 17)),  # a Monday: not tomorrow
        (datetime(2026, 3, 10, tzinfo=UTC), date(2026, 3, 17)),  # a Tuesday
        (datetime(2026, 3, 15, tzinfo=UTC), date(2026, 3, 17)),  # a Sunday: its next week begins tomorrow
    ],
)
def test_next_tuesday_is_the_one_of_the_next_calendar_week(recorded_at: datetime, day: date) -> None:
    assert found("next Tuesday", "en", recorded_at) == [("next Tuesday", day)]


def test_el_proximo_martes_is_the_first_one_to_come() -> None:
    monday = datetime(2026, 3, 9, tzinfo=UTC)
    assert found("el próximo martes", "es", monday) == [("el próximo martes", date(2026, 3, 10))]


def test_days_are_those_of_the_time_zone_of_the_recording() -> None:
    late_in_madrid = datetime(2026, 3, 11, 23, 30, tzinfo=timezone(timedelta(hours=1)))
    same_moment_in_tokyo = late_in_madrid.astimezone(timezone(timedelta(hours=9)))
    assert found("mañana", "es", late_in_madrid) == [("mañana", date(2026, 3, 12))]
    assert found("mañana", "es", same_moment_in_tokyo) == [("mañana", date(2026, 3, 13))]


def test_hours_ahead_may_reach_the_next_day() -> None:
    assert found("in three hours", "en", WEDNESDAY.replace(hour=23)) == [("in three hours", date(2026, 3, 12))]


def test_the_29th_of_february_is_the_next_one_that_exists() -> None:
    assert found("February 29th", "en") == [("February 29th", date(2028, 2, 29))]


def test_another_language_has_no_dates() -> None:
    assert found("tomorrow, mañana, demain", "fr") == []
