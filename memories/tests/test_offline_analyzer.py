from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from memories.analyzers.offline import OfflineAnalyzer
from memories.evidence import verified
from memories.types import AnalysisResult, Segment, TranscriptResult

WEDNESDAY = datetime(2026, 3, 11, 15, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Story:
    """What was said, segment by segment, and what must be found in it."""

    language: str
    segments: tuple[str, ...]
    title: str
    people: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    mood: str = "neutral"
    actions: tuple[tuple[str, date | None], ...] = ()
    tags: tuple[str, ...] = ()  # at least these


STORIES = {
    "garden": Story(
        "en",
        (
            "Today I met Sarah at the coffee shop to talk about the garden project. We agreed to plant tomatoes",
            "and basil before the end of April. I need to remember to call the plumber on Tuesday and to send",
            "the budget to my brother. It was a good morning and I feel hopeful about the summer.",
        ),
        title="Today I met Sarah at the coffee shop to talk about the garden project",
        people=("Sarah", "my brother"),
        mood="positive",
        actions=(("Call the plumber on Tuesday", date(2026, 3, 17)), ("Send the budget to my brother", None)),
        tags=("garden project", "coffee shop", "plumber"),
    ),
    "renovation": Story(
        "en",
        (
            "Note about the kitchen renovation.",
            "The builder, Tom Harris, came yesterday and said the tiles are delayed until next Friday.",
            "Will Smith from the bank called. I have to sign the loan papers in two weeks.",
            "Don't forget to ask Priya about the paint. We might stay in Brighton with Aunt Mary",
            "while the floor dries.",
            "I'm worried about the cost, it's a terrible mess.",
        ),
        title="The kitchen renovation",
        people=("Tom Harris", "Will Smith", "Priya", "Aunt Mary"),
        places=("Brighton",),
        mood="negative",
        actions=(("Sign the loan papers in two weeks", date(2026, 3, 25)), ("Ask Priya about the paint", None)),
        tags=("kitchen renovation", "loan papers"),
    ),
    "report": Story(
        "en",
        (
            "Okay, so this is a voice memo about the quarterly report.",
            " Martin and Julia finished the sales numbers on Monday, but the marketing part comes later.",
            " I have to ask Julia for the new figures by Thursday, and to send the draft to Mr. Okafor",
            "before the end of the month. If I have to rewrite it again I will take a day off.",
        ),
        title="The quarterly report",
        people=("Martin", "Julia", "Mr. Okafor"),
        actions=(
            ("Ask Julia for the new figures by Thursday", date(2026, 3, 12)),
            ("Send the draft to Mr. Okafor before the end of the month", date(2026, 3, 31)),
        ),
        tags=("quarterly report",),
    ),
    "lisbon": Story(
        "en",
        (
            "We arrived in Lisbon last night after a long flight from Chicago.",
            "The hotel near the river is beautiful and the food is wonderful.",
            "Tomorrow we're going to Sintra with Marta and her husband.",
            "I must remember to renew my passport within two months. Let's see.",
        ),
        title="We arrived in Lisbon last night after a long flight from Chicago",
        people=("Marta",),
        places=("Lisbon", "Chicago", "Sintra"),
        mood="positive",
        actions=(("Renew my passport within two months", date(2026, 5, 11)),),
    ),
    "first steps": Story(
        "en",
        (
            "My daughter Chloe took her first steps today!",
            "She walked from the sofa to my husband and laughed. It was the happiest moment of the year.",
            "I want to remember the yellow dress, the afternoon light and Grandma Rose crying.",
        ),
        title="My daughter Chloe took her first steps today",
        people=("Chloe", "my husband", "Grandma Rose"),
        mood="positive",
        tags=("yellow dress",),
    ),
    "incident": Story(
        "en",
        (
            "The deploy stopped at 3 a.m. because the disk was full.",
            "Kevin restarted the server and Olga found the log rotation bug.",
            "We need to add an alert, and we must write a post-mortem by next Wednesday.",
            "You don't need to call anyone. I have to say that Google told us nothing.",
        ),
        title="The deploy stopped at 3 a.m. because the disk was full",
        people=("Kevin", "Olga"),
        actions=(("Add an alert", None), ("Write a post-mortem by next Wednesday", date(2026, 3, 18))),
        tags=("log rotation bug",),
    ),
    "unpunctuated": Story(
        "en",
        (
            "and mister john dashwood had then leisure to consider how much there might be prudently in his power",
            "to do for them unless to be rather cold hearted and rather selfish is to be ill disposed had he married",
            "a more a amiable woman he might have been made still more respectable than he was",
        ),
        title="Mister john dashwood had then leisure to consider how much there might be…",
        mood="negative",
    ),
    "sevilla": Story(
        "es",
        (
            "Hoy hablé con mi hermana sobre el viaje a Sevilla. Queremos salir el viernes por la mañana",
            "y volver el domingo por la noche. Tengo que llamar al hotel para confirmar la reserva",
            "y comprar los billetes de tren. Estoy muy contento porque hace dos años que no vemos a los abuelos.",
        ),
        title="Hoy hablé con mi hermana sobre el viaje a Sevilla",
        people=("mi hermana",),
        places=("Sevilla",),
        mood="positive",
        actions=(("Llamar al hotel para confirmar la reserva", None), ("Comprar los billetes de tren", None)),
        tags=("viaje", "hotel", "reserva"),
    ),
    "equipo": Story(
        "es",
        (
            "Nota sobre la reunión con el equipo. María dijo que el presupuesto está aprobado.",
            "Hay que enviar el contrato a Javier antes del viernes. Pasado mañana tengo que ir a Madrid.",
            "No olvidar comprar pan. Estoy preocupada por el retraso. Vimos a la señora García cerca de Toledo.",
        ),
        title="La reunión con el equipo",
        people=("María", "Javier", "señora García"),
        places=("Madrid", "Toledo"),
        mood="negative",
        actions=(
            ("Enviar el contrato a Javier antes del viernes", date(2026, 3, 13)),
            ("Ir a Madrid", date(2026, 3, 13)),
            ("Comprar pan", None),
        ),
        tags=("reunión", "contrato"),
    ),
    "dentista": Story(
        "es",
        (
            "Recordatorio de la cita con el dentista.",
            "Hay que llamar a la doctora Ruiz el próximo martes para cambiar la hora.",
            "No te olvides de llevar los papeles del seguro.",
        ),
        title="La cita con el dentista",
        people=("doctora Ruiz",),
        actions=(
            ("Llamar a la doctora Ruiz el próximo martes para cambiar la hora", date(2026, 3, 17)),
            ("Llevar los papeles del seguro", None),
        ),
        tags=("dentista",),
    ),
    "cena": Story(
        "es",
        (
            "Ayer cenamos en casa de Carmen y Andrés.",
            "La paella estaba deliciosa y nos reímos muchísimo con Paco.",
            "En junio queremos ir a Granada con los niños. Necesito reservar el apartamento antes de fin de mes.",
        ),
        title="Ayer cenamos en casa de Carmen y Andrés",
        people=("Carmen", "Andrés", "Paco"),
        places=("Granada",),
        mood="positive",
        actions=(("Reservar el apartamento antes de fin de mes", date(2026, 3, 31)),),
        tags=("paella",),
    ),
    "proyecto": Story(
        "es",
        (
            "El proyecto va mal. Estoy muy preocupado por los retrasos y el equipo está cansado.",
            "Marcos dijo que el cliente de Barcelona no está contento.",
            "Tenemos que entregar el informe el viernes y preparar la presentación.",
        ),
        title="Estoy muy preocupado por los retrasos y el equipo está cansado",
        people=("Marcos",),
        places=("Barcelona",),
        mood="negative",
        actions=(("Entregar el informe el viernes", date(2026, 3, 13)), ("Preparar la presentación", None)),
        tags=("informe",),
    ),
    "huerto": Story(
        "es",
        (
            "Hoy he plantado tomates en el huerto de mi abuelo, cerca de Segovia.",
            "Mi abuelo me contó historias de la guerra y de su viaje a Argentina.",
            "Debo escribirlas pronto. Acuérdate de comprar un cuaderno mañana.",
        ),
        title="Hoy he plantado tomates en el huerto de mi abuelo, cerca de Segovia",
        people=("mi abuelo",),
        places=("Segovia", "Argentina"),
        actions=(("Escribirlas pronto", None), ("Comprar un cuaderno mañana", date(2026, 3, 12))),
        tags=("huerto", "cuaderno"),
    ),
    "colegio": Story(
        "es",
        (
            "Reunión de padres en el colegio San José.",
            "La profesora Elena explicó las excursiones de primavera.",
            "Si tengo que elegir, prefiero el museo. No hay que pagar nada hasta mayo.",
        ),
        title="Reunión de padres en el colegio San José",
        people=("profesora Elena",),
        places=("colegio San José",),
        tags=("excursiones",),
    ),
}

STRANGE = {
    "one word": ("Hello",),
    "gibberish": ("asdf qwer zxcv uiop hjkl", "qwop fghj."),
    "emoji": ("😀😀 🎉", "👍"),
    "punctuation": (". . . ! ?", "… --- '' \"\""),
    "empty segments": ("", "  ", "\n"),
    "empty segments around": ("", "The water is cold.", ""),
    "right to left": ("שלום לכולם. היום הלכנו לשוק וקנינו לחם.", "مرحبا بكم."),
    "Chinese": ("今天我去了东京。天气很好。",),
    "no spaces": ("a" * 50_000,),
    "one word over and over": ("word " * 3000,),
    "cues and nothing else": ("I need to " * 2000,),
    "capitals": ("THIS IS SHOUTED WITHOUT ANY REASON AT ALL",),
    "title case": ("This Is A Title Case Sentence About Nothing In Particular",),
}


def transcript(language: str | None, *segments: str) -> TranscriptResult:
    numbered = tuple(Segment(id=5 + 2 * number, text=text) for number, text in enumerate(segments))
    return TranscriptResult(text=" ".join(segments).strip(), language=language, segments=numbered, model="fake")


def analyze(language: str | None, *segments: str) -> AnalysisResult:
    """The result, after its evidence was verified: every quote must be real."""
    said = transcript(language, *segments)
    result = OfflineAnalyzer().analyze(said, recorded_at=WEDNESDAY)
    assert verified(result, said) == result
    return result


def names(result: AnalysisResult) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(person.name for person in result.people), tuple(place.name for place in result.places)


@pytest.fixture(params=list(STORIES.values()), ids=list(STORIES))
def story(request: pytest.FixtureRequest) -> Story:
    found: Story = request.param
    return found


def test_people_and_places_are_found_and_none_invented(story: Story) -> None:
    assert names(analyze(story.language, *story.segments)) == (story.people, story.places)


def test_a_title_is_short_and_says_what_it_is_about(story: Story) -> None:
    assert analyze(story.language, *story.segments).title == story.title


def test_things_to_do_are_found_with_their_due_dates(story: Story) -> None:
    result = analyze(story.language, *story.segments)
    assert tuple((item.text, item.due) for item in result.action_items) == story.actions
    assert all((item.due is None) == (item.due_quote is None) for item in result.action_items)


def test_the_mood_is_told_and_quoted(story: Story) -> None:
    mood = analyze(story.language, *story.segments).mood
    assert mood is not None
    assert mood.label == story.mood


def test_tags_are_few_lower_case_and_to_the_point(story: Story) -> None:
    tags = [tag.name for tag in analyze(story.language, *story.segments).tags]
    assert set(story.tags) <= set(tags)
    assert 1 <= len(tags) <= 8
    assert tags == [tag.lower() for tag in tags]
    assert len(tags) == len(set(tags))


def test_the_summary_is_verbatim_short_and_in_order(story: Story) -> None:
    summary = analyze(story.language, *story.segments).summary
    text = " ".join(" ".join(story.segments).split())
    place = 0
    for sentence in summary.split(". "):
        place = text.index(sentence, place)
    assert 0 < len(summary) <= len(text)


@pytest.mark.parametrize("segments", STRANGE.values(), ids=STRANGE.keys())
@pytest.mark.parametrize("language", ["en", "es", "he", "zh", "xx", None])
def test_nothing_is_invented_where_nothing_was_said(language: str | None, segments: tuple[str, ...]) -> None:
    result = analyze(language, *segments)
    assert (result.people, result.places, result.action_items) == ((), (), ())
    assert len(result.title) <= 80
    assert bool(result.title) == bool(result.summary) == bool("".join(segments).strip())


@pytest.mark.parametrize("segments", [("Hello",), STRANGE["gibberish"], STRANGE["emoji"], STRANGE["punctuation"], ()])
def test_too_little_said_has_no_mood(segments: tuple[str, ...]) -> None:
    assert analyze("en", *segments).mood is None


def test_an_empty_transcript_gives_an_empty_result() -> None:
    assert analyze("en") == AnalysisResult(title="", summary="", model="offline-1", usage=analyze("en").usage)


def test_names_at_the_beginning_of_a_sentence_are_told_from_ordinary_words() -> None:
    people, places = names(
        analyze(
            "en",
            "Sarah called this morning. Peter was late. Yesterday Anna came. Will Emma come too?",
            "Hope is important. Mark my words. Grace period over. May I go? Madrid is hot. Summer is near.",
            "Berlin's winters are long. Nobody knows. Dr. Jones agreed.",
        )
    )
    assert people == ("Sarah", "Peter", "Anna", "Emma", "Dr. Jones")
    assert places == ("Madrid", "Berlin")


def test_nombres_al_principio_de_una_frase_se_distinguen_de_palabras_corrientes() -> None:
    people, places = names(
        analyze(
            "es",
            "María José llegó tarde. Luz apagada. Rosa vino. Nadie dijo nada. Ayer Lucía cantó.",
            "¿Vienes, Ana? Sevilla es bonita. Hablé con el Ayuntamiento. Mañana Pablo descansa.",
        )
    )
    assert people == ("María José", "Lucía", "Ana", "Pablo")
    assert places == ("Sevilla",)


@pytest.mark.parametrize(
    "sentence",
    [
        "We wrote it in Python and talked in English about Christmas.",
        "I opened Excel on Monday and called it a day in March.",
        "The meeting with Google and Microsoft is on Zoom.",
        "She said that God knows.",
        "My mother's car broke down.",
    ],
)
def test_capital_letters_alone_make_no_name(sentence: str) -> None:
    assert names(analyze("en", sentence)) == ((), ())


def test_the_same_name_is_a_person_or_a_place_by_the_words_around_it() -> None:
    assert names(analyze("es", "Fuimos a Santiago con Santiago.")) == (("Santiago",), ("Santiago",))
    assert names(analyze("en", "We met Florence in Florence last summer.")) == (("Florence",), ("Florence",))


def test_a_short_name_goes_where_the_full_one_is_known() -> None:
    assert names(analyze("en", "I saw Sarah. We asked Sarah Connor for help."))[0] == ("Sarah Connor",)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "I don't need to call the bank."),
        ("en", "Do I have to pay the rent?"),
        ("en", "If I have to wait I will read."),
        ("en", "I have to say it was good."),
        ("en", "I must have left it at home."),
        ("en", "We had to call the police."),
        ("en", "Let's see what happens."),
        ("en", "He remembers to smile."),
        ("es", "No tengo que ir al banco."),
        ("es", "¿Tengo que pagar el alquiler?"),
        ("es", "Si tengo que esperar, leo."),
        ("es", "Tengo que decir que me gustó."),
        ("es", "Tuve que llamar a la policía."),
        ("es", "No hay que preocuparse."),
        ("es", "Necesito ayuda."),
    ],
)
def test_words_that_only_look_like_a_resolution_are_none(language: str, sentence: str) -> None:
    assert analyze(language, sentence).action_items == ()


@pytest.mark.parametrize(
    ("language", "sentence", "text"),
    [
        ("en", "Call the dentist tomorrow.", "Call the dentist tomorrow"),
        ("en", "To do: water the plants.", "Water the plants"),
        ("en", "Let's book the flights.", "Book the flights"),
        ("en", "We've got to fix the roof.", "Fix the roof"),
        ("es", "Llamar al dentista.", "Llamar al dentista"),
        ("es", "Debo pagar la luz.", "Pagar la luz"),
        ("es", "Recordar regar las plantas.", "Regar las plantas"),
        ("es", "Acuérdate de las llaves.", "Las llaves"),
    ],
)
def test_a_resolution_is_found_in_each_of_its_forms(language: str, sentence: str, text: str) -> None:
    assert [item.text for item in analyze(language, sentence).action_items] == [text]


def test_a_day_named_before_the_resolution_is_its_due_date() -> None:
    (item,) = analyze("en", "On Friday I need to call the bank.").action_items
    assert (item.due, item.due_quote) == (date(2026, 3, 13), "On Friday")


@pytest.mark.parametrize(
    ("sentence", "label"),
    [
        ("Estoy muy contenta con la casa.", "positive"),
        ("No estoy contenta con la casa.", "negative"),
        ("La película fue horrible y aburrida.", "negative"),
        ("Bueno, mañana vemos la casa y el jardín.", "neutral"),
        ("La fiesta fue maravillosa. El viaje de vuelta fue horrible.", "mixed"),
    ],
)
def test_spanish_mood_knows_inflections_and_negation(sentence: str, label: str) -> None:
    mood = analyze("es", sentence).mood
    assert mood is not None
    assert mood.label == label


@pytest.mark.parametrize(
    ("language", "text", "title"),
    [
        ("en", "Remember the milk and the eggs.", "The milk and the eggs"),
        ("en", "Reminder for the parents' evening. It starts at eight.", "The parents' evening"),
        ("es", "Nota de voz sobre la mudanza. Empieza el lunes.", "La mudanza"),
        ("en", "So, well, the harbour was quiet.", "The harbour was quiet"),
        ("en", "Okay.", "Okay"),
    ],
)
def test_a_title_takes_the_speakers_own_word_for_it(language: str, text: str, title: str) -> None:
    assert analyze(language, text).title == title


def test_a_sentence_that_spans_segments_names_them_all() -> None:
    said = analyze("en", "We finally met", "Sarah in the garden.", "It rained.")
    assert said.people[0].evidence.segment_ids == (5, 7)
    assert said.people[0].evidence.quote == "We finally met Sarah in the garden."


def test_two_sentences_in_a_segment_are_quoted_one_by_one() -> None:
    said = analyze("en", "It rained. We met Sarah. It snowed.")
    assert said.people[0].evidence.quote == "We met Sarah."


def test_speech_without_punctuation_is_quoted_in_readable_pieces() -> None:
    said = analyze("en", *["and then we walked along the river for a while with Sarah and the dogs"] * 20)
    assert all(len(finding.evidence.quote) <= 300 for finding in said.people + said.tags)


def test_a_language_that_was_not_detected_is_told_from_its_function_words() -> None:
    assert names(analyze(None, "Fuimos a Sevilla con Marta para ver la casa."))[1] == ("Sevilla",)
    assert names(analyze(None, "We went to Boston with Mike and that was the trip."))[1] == ("Boston",)


def test_another_language_gets_title_summary_and_tags_only() -> None:
    result = analyze("de", "Heute war ich mit Anna im Garten.", "Wir haben die Tomaten im Garten gepflanzt.")
    assert result.title
    assert result.summary
    assert any("garten" in tag.name for tag in result.tags)
    assert (result.people, result.places, result.mood, result.action_items) == ((), (), None, ())


def test_a_transcript_without_segments_still_has_a_title_and_a_summary() -> None:
    said = TranscriptResult(text="We met Sarah in the garden.", language="en", segments=(), model="fake")
    result = verified(OfflineAnalyzer().analyze(said, recorded_at=WEDNESDAY), said)
    assert (result.title, result.people) == ("We met Sarah in the garden", ())


def long_story(words: int) -> list[str]:
    vocabulary = [
        "project",
        "budget",
        "Sarah",
        "the",
        "and",
        "to",
        "summer",
        "call",
        "Boston",
        "station",
        "plan",
        "I need",
    ]
    choose = random.Random(1)
    return [" ".join(choose.choices(vocabulary, k=14)).capitalize() + "." for _ in range(words // 14)]


def test_an_hour_of_speech_is_analyzed_and_every_quote_is_real() -> None:
    result = analyze("en", *long_story(10_000))
    assert len(result.tags) <= 8
    assert result.title


def test_ten_thousand_words_in_one_segment_are_analyzed() -> None:
    result = analyze("en", " ".join(long_story(10_000)))
    assert result.title


def test_the_same_transcript_gives_the_same_result() -> None:
    story = STORIES["renovation"]
    assert analyze(story.language, *story.segments) == analyze(story.language, *story.segments)


def test_it_says_that_it_cost_nothing() -> None:
    result = analyze("en", "Hello there.")
    assert (result.model, result.usage.cost_usd) == ("offline-1", Decimal(0))


def test_nothing_is_missing_here() -> None:
    assert OfflineAnalyzer().check() == []
