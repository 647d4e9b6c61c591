"""Who speaks, and what belongs together."""

from __future__ import annotations

import pytest

from archive.domain.paragraphs import paragraphs
from archive.domain.speakers import Speakers, heard_at_stand
from archive.domain.transcript import Language, Utterance

PEOPLE = [("Ахметов Н. С.", "judge"), ("Сейтова Айгуль", "expert"), ("Ли В.", "victim")]


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("допрос эксперта Сейтовой", "expert"),
        ("Сейтованы тыңдау", "expert"),
        ("допрос потерпевшего", "victim"),
        ("жәбірленушіден жауап алу", "victim"),
        ("Testimony of the specialist", "specialist"),
        ("подсудимого Ким", "defendant"),
        ("сарапшыдан", "expert"),
        ("", "witness"),
        ("Петров", "witness"),
    ],
)
def test_the_log_says_who_is_heard(text: str, role: str) -> None:
    assert heard_at_stand([(5, text)], PEOPLE) == [(5, role)]


def test_one_after_another_is_heard_at_the_stand_and_nobody_elsewhere_changes() -> None:
    speakers = Speakers({"judge": "judge", "m4": "witness"}, ((1_000, "expert"), (5_000, "victim")), frozenset())
    assert [speakers.role("m4", at) for at in (999, 1_000, 4_999, 5_000)] == ["witness", "expert", "expert", "victim"]
    assert speakers.role("m4") == "witness"
    assert speakers.role("judge", 5_000) == "judge"
    assert speakers.role("witness", 1_000) == "expert"


def test_sound_of_the_whole_room_has_no_known_speaker() -> None:
    speakers = Speakers({"left": "judge"}, (), frozenset({"left", "right", "claimant"}))
    assert [speakers.role(channel) for channel in ("left", "right", "claimant", "mic 7")] == [
        "judge",
        "unknown",
        "claimant",
        "mic 7",
    ]


def line(start_s: float, channel: str = "judge", length_s: float = 2) -> Utterance:
    return Utterance(int(start_s * 1000), int((start_s + length_s) * 1000), channel, Language.RU, f"{start_s}")


def starts(*said: Utterance, happened: tuple[int, ...] = (), speakers: Speakers | None = None) -> list[list[str]]:
    found = paragraphs(said, happened, speakers or Speakers({}))
    return [[one.text for one in paragraph.lines] for paragraph in found]


def test_lines_of_one_speaker_are_a_paragraph() -> None:
    assert starts(line(0), line(3), line(6, "witness"), line(9)) == [["0", "3"], ["6"], ["9"]]
    assert starts(line(0), line(12.1)) == [["0"], ["12.1"]]
    assert starts(line(0), line(3), line(6), happened=(4_000,)) == [["0", "3"], ["6"]]
    assert starts(*(line(at) for at in range(0, 90, 3))) == [
        [str(at) for at in range(0, 60, 3)],
        [str(at) for at in range(60, 90, 3)],
    ]
    stand = Speakers({}, ((0, "witness"), (3_000, "expert")))
    assert starts(line(0, "witness"), line(3, "witness"), speakers=stand) == [["0"], ["3"]]
    assert starts() == []
