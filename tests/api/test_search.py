"""Search over HTTP: every form of a word in both languages, and never what one may not read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archive.db import search as db
from archive.domain.access import Action
from tests.api.conftest import Running
from tests.api.test_access import expected
from tests.api.world import SAID, Court, Held, Person, SignedIn, record, write_down

As = Callable[[Person], SignedIn]


@pytest.fixture
def judge(court: Court, as_: As) -> SignedIn:
    return as_(court.person("judge"))


def find(client: SignedIn, q: str, **more: Any) -> list[dict[str, Any]]:
    answer = client.get("/search", params={"q": q, "limit": 100, **more})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.fixture
def lines(running: Running, court: Court) -> str:
    """A recording of the open hearing with more text."""
    made = record(running.url, running.services, court.agent_token, "room-1", court.one().hearing)
    said = [
        ("judge", "ru", "Свидетелю разъясняются права, предусмотренные законом."),
        ("claimant", "kk", "Куәлердің айғақтарын хаттамаға енгізуді сұраймын."),
        ("claimant", "ru", "Елка стояла во дворе, договор подписали ёлочкой."),
        ("judge", "ru", "Объявляется перерыв до завтра, объявляется перерыв."),
    ]
    write_down(running.services.sessions, made, said)
    return made


@pytest.mark.parametrize(
    ("typed", "spoken"),
    [
        ("свидетель", "Свидетелю"),
        ("свидетелями", "Свидетелю"),
        ("ПРАВО", "права"),
        ("закон", "законом"),
        ("куә", "Куәлердің"),
        ("хаттама", "хаттамаға"),
        ("хаттамадан", "хаттамаға"),
        ("айғақ", "айғақтарын"),
        ("ёлка", "Елка"),
        ("договоры", "договор"),
        ("протокол", "хаттамаға"),  # the other language's word
    ],
)
def test_a_word_is_found_in_every_form(judge: SignedIn, lines: str, typed: str, spoken: str) -> None:
    hits = [hit for hit in find(judge, typed) if hit["recording"] == lines]
    marked = {hit["text"][start:end] for hit in hits for start, end in hit["highlights"]}
    assert spoken in marked


def test_a_hit_says_where_and_when(court: Court, judge: SignedIn, lines: str) -> None:
    (hit,) = (hit for hit in find(judge, "перерыва") if hit["recording"] == lines)
    assert hit["word_start_ms"] == 30_000 + 300  # the second word of the fourth utterance
    assert hit["start_ms"] == 30_000
    assert hit["case_number"] == "open-own"
    assert hit["role_ru"] == "председательствующий"
    assert hit["courtroom"]["code"] == "room-1"
    assert [hit["text"][a:b] for a, b in hit["highlights"]] == ["перерыв", "перерыв"]
    assert not hit["draft"]


def test_words_phrases_and_exclusions(judge: SignedIn, lines: str) -> None:
    def found(q: str) -> int:
        return sum(hit["recording"] == lines for hit in find(judge, q))

    assert found("перерыв завтра") == 1
    assert found("перерыв закон") == 0
    assert found('"объявляется перерыв"') == 1
    assert found('"перерыв объявляется"') == 0
    assert found('"объявляется перерыва"') == 0  # a phrase is exact
    assert found('"до завтра объявляется"') == 1  # punctuation does not part words
    assert found("перерыв -завтра") == 0
    assert found('перерыв -"завтра до"') == 1


def test_filters(judge: SignedIn, lines: str) -> None:
    def found(**more: str) -> set[str]:
        return {hit["channel"] for hit in find(judge, "закон | договор", **more)} | {
            hit["channel"] for hit in find(judge, "хаттама", **more)
        }

    assert found(lang="kk") == {"claimant"}
    assert found(role="judge") == set()
    assert found(case="no-such-case") == set()
    assert found(to="2000-01-01T00:00:00Z") == set()


@pytest.mark.parametrize("role", ["operator", "secretary", "judge", "party", "admin", "archivist", "auditor"])
def test_nobody_finds_what_he_or_she_may_not_read(court: Court, as_: As, role: str) -> None:
    person = court.person(role)
    answer = as_(person).get("/search", params={"q": '"поддерживает исковые требования"', "limit": 100}).json()
    readable = {h.recording for h in court.held if expected(person, h, Action.READ) == 200}
    assert {hit["recording"] for hit in answer["items"]} == readable
    assert answer["total"] == len(readable)


def test_drafts_are_found_only_by_whoever_reads_them(running: Running, court: Court, as_: As) -> None:
    held: Held = court.one()
    made = record(running.url, running.services, court.agent_token, "room-1", held.hearing, close=False)
    write_down(running.services.sessions, made, [("judge", "ru", "Черновик говорит вздор.")], revision=-1)
    judge, party = as_(court.person("judge")), as_(court.person("party"))
    assert [hit["draft"] for hit in find(judge, "вздор")] == [True]
    assert find(party, "вздор") == []
    write_down(running.services.sessions, made, [("judge", "ru", "Окончательно без него.")])
    assert find(judge, "вздор") == []


def test_pages_follow_each_other_without_loss_or_repetition(judge: SignedIn, lines: str) -> None:
    whole = [hit["utterance"] for hit in find(judge, "истец")]
    assert len(whole) > 3
    paged: list[str] = []
    cursor: str | None = None
    while True:
        page = judge.get("/search", params={"q": "истец", "limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        paged += [hit["utterance"] for hit in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert paged == whole


def test_the_answer_says_how_it_understood(judge: SignedIn) -> None:
    terms = judge.get("/search", params={"q": "истцу"}).json()["query"]["terms"]
    assert terms[0]["term"] == "истцу"
    assert {"истец", "талапкер"} <= set(terms[0]["forms"])


@pytest.mark.parametrize(
    "q",
    [
        "",
        " ",
        '"',
        "-",
        "'",
        "''; DROP TABLE utterances; --",
        "a & b | !c <-> (d",
        "\\",
        ":*",
        "😀",
        "и" * 900,
        "\u200d",
    ],
)
def test_nothing_that_is_typed_breaks_it(judge: SignedIn, q: str) -> None:
    assert judge.get("/search", params={"q": q}).status_code == 200


@pytest.mark.parametrize("q", ["а" * 1001, " ".join(["слово"] * 33), "-только -без"])
def test_what_cannot_be_searched_is_said(judge: SignedIn, q: str) -> None:
    assert judge.get("/search", params={"q": q}).status_code in (400, 422)


def test_many_hits_are_not_counted(running: Running, monkeypatch: pytest.MonkeyPatch, judge: SignedIn) -> None:
    monkeypatch.setattr(db, "COUNTED", 2)
    assert judge.get("/search", params={"q": "истец"}).json()["total"] is None


def test_the_texts_are_what_these_tests_think() -> None:
    assert "истец поддерживает исковые требования" in SAID[0]
