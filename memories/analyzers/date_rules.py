"""The phrases that name a day ahead, and how each is resolved.

dateparser resolves plain phrases well, but its search in free text takes "may", "sat" and "we" for dates and knows few
Spanish phrases. So patterns of our own find the phrases and say in plain English what they mean; dateparser resolves
that against the time of recording.

Vague or past time ("in May", "next year", "last Tuesday", "every Friday") is no due date and gives nothing.
"Next week" and "next month" mean the same day a week or a month later; "next Tuesday" the one of the next calendar
week; "el próximo martes" the first one to come; a weekend begins on its Saturday, and a week ends on its Friday.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from memories.analyzers.lexicon import word_list

Resolve = Callable[[dict[str, str], datetime], date | None]
"""From a pattern's named groups in plain English and the local time of recording to a day; None: not a due date."""


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: str
    resolve: Resolve


def _parse(phrase: str, now: datetime) -> date | None:
    import dateparser

    # A zone of the machine must not shift what was said in the zone of the recording: everything is naive here.
    settings = {"RELATIVE_BASE": now, "PREFER_DATES_FROM": "future", "RETURN_AS_TIMEZONE_AWARE": False}
    found: datetime | None = dateparser.parse(phrase, languages=["en"], settings=settings)
    return found.date() if found else None


# --- what phrases mean ---------------------------------------------------------------------------------------------


def _means(phrase: str) -> Resolve:
    """A phrase in plain English, with the pattern's groups in braces."""
    return lambda groups, now: _parse(phrase.format(**groups), now)


def _nothing(groups: dict[str, str], now: datetime) -> None:
    """For phrases that look like dates and are none: they keep other rules from seeing a part of them."""


def _first_weekday(groups: dict[str, str], now: datetime) -> date:
    return _following(groups["weekday"], now.date())


def _weekday_of_next_week(groups: dict[str, str], now: datetime) -> date:
    next_sunday = now.date() + timedelta(days=6 - now.weekday())
    return _following(groups["weekday"], next_sunday)


def _weeks_after_weekday(groups: dict[str, str], now: datetime) -> date:
    return _first_weekday(groups, now) + timedelta(weeks=int(groups["n"]))


def _weekend(groups: dict[str, str], now: datetime) -> date:
    return _following("saturday", now.date() - timedelta(days=1))


def _next_weekend(groups: dict[str, str], now: datetime) -> date:
    return _weekday_of_next_week({"weekday": "saturday"}, now)


def _day_of_month(groups: dict[str, str], now: datetime) -> date | None:
    if not 1 <= int(groups["day"]) <= 31:
        return None
    yesterday = now - timedelta(days=1)  # else today's own date means next year's
    return _parse(f"{groups['month']} {groups['day']} {groups.get('year', '')}", yesterday)


def _day(groups: dict[str, str], now: datetime) -> date | None:
    """The next 15th. A month without such a day is passed over."""
    day = int(groups["day"])
    if not 1 <= day <= 31:
        return None
    candidate = now.date()
    while candidate.day != day:
        candidate += timedelta(days=1)
    return candidate


def _end(groups: dict[str, str], now: datetime) -> date | None:
    period = groups["period"]
    if period == "week":
        return _following("friday", now.date() - timedelta(days=1))
    if period == "year":
        return date(now.year, 12, 31)
    inside = now.date() if period == "month" else _parse(f"{period} 28", now)
    return inside and inside.replace(day=monthrange(inside.year, inside.month)[1])


def _following(weekday: str, day: date) -> date:
    """The first such weekday after a day."""
    return day + timedelta(days=(WEEKDAYS.index(weekday) - day.weekday() - 1) % 7 + 1)


# --- words ---------------------------------------------------------------------------------------------------------

WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
MONTHS = word_list("""
    january february march april may june july august september october november december
""")
UNITS = {"minute", "hour", "day", "week", "month"}

NUMBERS_EN = word_list("""
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty
""")
ORDINALS_EN = word_list("""
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
    fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third
    twenty-fourth twenty-fifth twenty-sixth twenty-seventh twenty-eighth twenty-ninth thirtieth thirty-first
""")

WEEKDAYS_ES = {
    **dict(zip(word_list("lunes martes miércoles jueves viernes sábado domingo"), WEEKDAYS, strict=True)),
    "miercoles": "wednesday",
    "sabado": "saturday",
}
MONTH_NAMES_ES = word_list("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre")
MONTHS_ES = dict(zip(MONTH_NAMES_ES, MONTHS, strict=True))
UNITS_ES = {
    "minuto": "minute",
    "hora": "hour",
    "día": "day",
    "semana": "week",
    "mes": "month",
    "año": "year",
    "minutos": "minute",
    "horas": "hour",
    "días": "day",
    "semanas": "week",
    "meses": "month",
}
NUMBERS_ES = word_list("""
    uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete
    dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete
    veintiocho veintinueve treinta treinta|y|uno
""")

PLAIN = {
    **{word: str(number) for number, word in enumerate(NUMBERS_EN, 1)},
    **{word: str(number) for number, word in enumerate(ORDINALS_EN, 1)},
    **{word.replace("|", " "): str(number) for number, word in enumerate(NUMBERS_ES, 1)},
    "a": "1",
    "an": "1",
    "a couple of": "2",
    "un": "1",
    "una": "1",
    "un par de": "2",
    "primero": "1",
    **WEEKDAYS_ES,
    **MONTHS_ES,
    **UNITS_ES,
}


def _any(name: str, *words: str) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return rf"(?P<{name}>" + "|".join(word.replace(" ", r"\s+").replace("|", r"\s+") for word in longest_first) + ")"


# --- English -------------------------------------------------------------------------------------------------------

WEEKDAY = _any("weekday", *WEEKDAYS)
MONTH = _any("month", *MONTHS)
# "Will march 3 miles", "may 2 of us": with a bare number only a capital makes a month.
CAPITAL_MONTH = f"(?-i:{_any('month', *(month.title() for month in MONTHS))})"
NUMBER = _any("n", r"\d{1,3}", "a", "an", "a couple of", *NUMBERS_EN)
SUFFIXED = r"(?P<day>\d{1,2})(?:st|nd|rd|th)"
ORDINAL = rf"(?:{SUFFIXED}|{_any('day_word', *ORDINALS_EN)})"
YEAR = r"(?:,?\s+(?P<year>20\d\d))?"
BY = r"(?:(?:on|by|before|until|till|for)\s+)?"
DAYPART = r"(?:\s+(?:morning|afternoon|evening|night))?"


def _spoken_day(groups: dict[str, str], now: datetime) -> date | None:
    return _day_of_month({**groups, "day": groups.get("day") or groups["day_word"]}, now)


ENGLISH = (
    Rule(r"(?:last|past|every|each|black|good|ash|easter)\s+(?:" + "|".join(WEEKDAYS) + ")", _nothing),
    Rule(BY + r"(?:the\s+)?day\s+after\s+tomorrow", _means("in 2 days")),
    Rule(BY + r"tomorrow" + DAYPART, _means("tomorrow")),
    Rule(BY + r"(?:today|tonight|this\s+(?:morning|afternoon|evening))", _means("today")),
    Rule(rf"(?:with)?in\s+{NUMBER}\s+(?P<unit>minute|hour|day|week|month)s?", _means("in {n} {unit}s")),
    Rule(rf"{NUMBER}\s+(?P<unit>day|week|month)s?\s+from\s+(?:now|today)", _means("in {n} {unit}s")),
    Rule(r"(?:with)?in\s+a\s+fortnight", _means("in 14 days")),
    Rule(rf"{NUMBER}\s+weeks?\s+(?:from|on|after)\s+(?:this\s+)?{WEEKDAY}", _weeks_after_weekday),
    Rule(rf"{BY}(?:this\s+|this\s+coming\s+|the\s+coming\s+)?{WEEKDAY}{DAYPART}", _first_weekday),
    Rule(rf"{BY}next\s+{WEEKDAY}{DAYPART}", _weekday_of_next_week),
    Rule(rf"(?:{BY}|over\s+)(?:this|the)\s+weekend", _weekend),
    Rule(rf"(?:{BY}|over\s+)next\s+weekend", _next_weekend),
    Rule(BY + r"next\s+(?P<unit>week|month)", _means("next {unit}")),
    Rule(rf"{BY}(?:the\s+)?{ORDINAL}\s+(?:of\s+)?{MONTH}{YEAR}", _spoken_day),
    Rule(rf"{BY}{MONTH}\s+(?:the\s+)?{ORDINAL}{YEAR}", _spoken_day),
    Rule(rf"{BY}{CAPITAL_MONTH}\s+(?P<day>\d{{1,2}})(?![\d%]|[:.]\d){YEAR}", _day_of_month),
    Rule(rf"{BY}(?P<day>\d{{1,2}})\s+{CAPITAL_MONTH}{YEAR}", _day_of_month),
    Rule(
        # "On the 15th floor" is no date: what follows must not be a noun.
        rf"(?:on|by|before|until)\s+the\s+{SUFFIXED}(?=\s*(?:[.,;!?]|$)|\s+(?:at|and|or|to|for|in\s+the|I|we)\b)",
        _day,
    ),
    Rule(
        rf"(?:(?:at|by|before|until|towards?)\s+)?the\s+end\s+of\s+(?:(?:the|this)\s+)?"
        rf"{_any('period', 'week', 'month', 'year', *MONTHS)}",
        _end,
    ),
    Rule(BY + r"(?P<iso>20\d\d-\d\d-\d\d)", _means("{iso}")),
)

# --- Spanish -------------------------------------------------------------------------------------------------------

DIA = _any("weekday", *WEEKDAYS_ES)
MES = _any("month", *MONTHS_ES)
NUMERO = _any("n", r"\d{1,3}", "un", "una", "un par de", *NUMBERS_ES)
DEL = r"(?:\s+del?\s+(?:año\s+)?(?P<year>20\d\d))?"
PARA = r"(?:(?:para|hasta|desde|antes\s+de)\s+)?"
EL = rf"(?:{PARA}(?:el|este)|antes\s+del|al|del)"
PARTE = r"(?:\s+(?:por|en|a)\s+la\s+(?:mañana|tarde|noche)|\s+al?\s+(?:mediodía|primera\s+hora))?"

SPANISH = (
    Rule(r"(?:por|de|en|a|toda|cada|una|misma)\s+(?:la\s+)?mañana", _nothing),
    Rule(r"(?:el|la)\s+mañana", _nothing),
    Rule(rf"(?:el|del|al)\s+pasado\s+{DIA}|(?:el|del|al)\s+{_any('past', *WEEKDAYS_ES)}\s+(?:pasado|santo)", _nothing),
    Rule(rf"(?:cada|todos\s+los)\s+{DIA}", _nothing),
    Rule(r"el\s+fin\s+de\s+semana\s+pasado|el\s+pasado\s+fin\s+de\s+semana", _nothing),
    Rule(PARA + r"pasado\s+mañana" + PARTE, _means("in 2 days")),
    Rule(PARA + r"mañana(?:\s+mismo)?" + PARTE, _means("tomorrow")),
    Rule(PARA + r"(?:hoy(?:\s+mismo)?|esta\s+(?:mañana|tarde|noche))", _means("today")),
    Rule(rf"(?:dentro\s+de|en|de\s+aquí\s+a)\s+{NUMERO}\s+{_any('unit', *UNITS_ES)}", _means("in {n} {unit}s")),
    Rule(PARA + r"(?:la\s+)?semana\s+(?:que\s+viene|próxima)|la\s+próxima\s+semana", _means("next week")),
    Rule(PARA + r"(?:el\s+)?mes\s+(?:que\s+viene|próximo)|el\s+próximo\s+mes", _means("next month")),
    Rule(rf"{EL}\s+(?:próximo\s+)?{DIA}(?:\s+(?:que\s+viene|próximo))?{PARTE}", _first_weekday),
    Rule(rf"{EL}\s+fin\s+de\s+semana", _weekend),
    Rule(rf"{EL}\s+(?:próximo\s+fin\s+de\s+semana|fin\s+de\s+semana\s+(?:que\s+viene|próximo))", _next_weekend),
    Rule(
        rf"(?:{EL}\s+)?(?:día\s+)?{_any('day', r'[0-9]{1,2}', 'primero', *NUMBERS_ES)}\s+de\s+{MES}{DEL}",
        _day_of_month,
    ),
    Rule(rf"{EL}\s+día\s+(?P<day>\d{{1,2}})", _day),
    Rule(
        rf"(?:(?:a|para|hasta|antes\s+de(?:l)?)\s+)?(?:finales|fin|final)\s+del?\s+"
        rf"{_any('period', 'mes', 'año', *MONTHS_ES)}",
        _end,
    ),
)
