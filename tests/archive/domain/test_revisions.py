"""People's changes to a text: what they do, that nothing is lost, that nobody's work is written over."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.domain.chain import sha256_hex
from archive.domain.errors import BadInput
from archive.domain.revision_file import (
    Author,
    Deed,
    Revision,
    document,
    machine_document,
    read_machine,
    read_revision,
    text_sha256,
)
from archive.domain.revisions import (
    Add,
    Change,
    Confirm,
    Effect,
    Line,
    Merge,
    Ref,
    Remove,
    SetChannel,
    SetLanguage,
    SetText,
    Split,
    Stale,
    carried,
    changed,
    compared,
    retimed,
)
from archive.domain.transcript import Flag, Language, Utterance, Word

CHANNELS = ("judge", "witness")
DURATION_MS = 60_000


def words(text: str, start_ms: int, each_ms: int = 500) -> tuple[Word, ...]:
    return tuple(
        Word(word, start_ms + place * each_ms, start_ms + place * each_ms + each_ms - 100, 0.8)
        for place, word in enumerate(text.split())
    )


def said(text: str, start_ms: int, channel: str = "judge", *flags: Flag) -> Utterance:
    spoken = words(text, start_ms)
    return Utterance(start_ms, spoken[-1].end_ms, channel, Language.RU, text, spoken, flags, 0.9)


TEXT = {
    0: Line(0, 0, said("Прошу всех встать суд идёт", 1_000, "judge", Flag.UNCLEAR)),
    1: Line(1, 0, said("задолженность составляет шестьдесят тысяч", 5_000, "witness")),
    2: Line(2, 3, said("тенге", 8_000, "witness")),
}


def effect(*changes: Change) -> Effect:
    return changed(TEXT, changes, CHANNELS, 10, DURATION_MS)


def only(made: Effect) -> Utterance:
    ((_, line),) = made.lines
    return line


def test_a_corrected_line_keeps_its_number_and_the_times_of_words_that_stay() -> None:
    made = effect(SetText(Ref(0, 0), "Прошу всех  встать, Суд пришёл!"))
    assert made.replaced == (0,)
    assert [seq for seq, _ in made.lines] == [0]
    line = only(made)
    assert line.text == "Прошу всех встать, Суд пришёл!"
    assert line.words[2] == Word("встать,", 2_000, 2_400, 0.8)
    assert line.words[4] == Word("пришёл!", 3_000, 3_400, 1.0)
    assert line.flags == ()


def test_what_a_person_cannot_make_out_stays_marked() -> None:
    assert only(effect(SetText(Ref(0, 0), "Прошу всех встать", unclear=True))).flags == (Flag.UNCLEAR,)


def test_a_line_goes_to_another_microphone_and_language() -> None:
    line = only(effect(SetChannel(Ref(1, 0), "judge"), SetLanguage(Ref(1, 0), Language.KK)))
    assert (line.channel, line.language, line.language_confidence) == ("judge", Language.KK, None)


def test_one_line_becomes_two_and_two_become_one() -> None:
    made = effect(Split(Ref(1, 0), 2))
    (first_seq, first), (second_seq, second) = made.lines
    assert (first_seq, second_seq) == (1, 10)
    assert (first.text, second.text) == ("задолженность составляет", "шестьдесят тысяч")
    assert (first.end_ms, second.start_ms) == (5_900, 6_000)
    joined = effect(Merge(Ref(2, 3), Ref(1, 0)))
    assert (joined.replaced, [seq for seq, _ in joined.lines]) == ((1, 2), [2])
    assert only(joined).text == "задолженность составляет шестьдесят тысяч тенге"
    assert (only(joined).start_ms, only(joined).end_ms) == (5_000, 8_400)


def test_lines_are_taken_out_and_put_in() -> None:
    made = effect(Remove(Ref(2, 3)), Add(9_000, 10_000, "witness", Language.KK, "иә, рас"))
    assert (made.replaced, [seq for seq, _ in made.lines]) == ((2,), [10])
    assert [word.text for word in only(made).words] == ["иә,", "рас"]
    assert only(made).words[0].start_ms == 9_000
    assert only(made).words[-1].end_ms == 10_000


def test_changes_that_leave_a_line_as_it_was_do_not_make_a_new_one() -> None:
    assert effect(SetText(Ref(1, 0), TEXT[1].said.text), Confirm((Ref(1, 0),))) == Effect((), (), (1,))


def test_a_line_that_is_confirmed_and_then_taken_out_is_not_confirmed() -> None:
    assert effect(Confirm((Ref(1, 0), Ref(2, 3))), Remove(Ref(1, 0))).confirmed == (2,)


def test_the_second_of_two_who_change_a_line_is_told_which() -> None:
    with pytest.raises(Stale) as stale:
        effect(
            SetText(Ref(0, 0), "другое"),
            SetText(Ref(2, 0), "тиын"),  # revision 3 has changed it
            Confirm((Ref(1, 0), Ref(77, 0))),
            Merge(Ref(1, 0), Ref(5, 0)),
        )
    assert stale.value.lines == (2, 5, 77)


@pytest.mark.parametrize(
    "change",
    [
        SetText(Ref(0, 0), " \u200b\x00 "),
        SetText(Ref(0, 0), "а" * 5_001),
        SetChannel(Ref(0, 0), "nobody"),
        Split(Ref(0, 0), 0),
        Split(Ref(0, 0), 5),
        Merge(Ref(0, 0), Ref(1, 0)),
        Merge(Ref(1, 0), Ref(1, 0)),
        Add(5_000, 5_000, "judge", Language.RU, "да"),
        Add(5_000, DURATION_MS + 1, "judge", Language.RU, "да"),
    ],
)
def test_what_cannot_be_done_is_said(change: Change) -> None:
    with pytest.raises(BadInput):
        effect(change)


def test_nothing_and_too_much_are_refused() -> None:
    for changes in ((), (Confirm(()),) * 10_001):
        with pytest.raises(BadInput):
            effect(*changes)


LINES = st.sampled_from([0, 1, 2])
SPOKEN = st.lists(st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=9), min_size=1, max_size=12)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    line = Ref(seq := draw(LINES), TEXT[seq].since)
    other = Ref(seq := draw(LINES), TEXT[seq].since)
    return draw(
        st.sampled_from(
            [
                SetText(line, " ".join(draw(SPOKEN)), draw(st.booleans())),
                SetChannel(line, draw(st.sampled_from(CHANNELS))),
                SetLanguage(line, draw(st.sampled_from(Language))),
                Split(line, draw(st.integers(1, 4))),
                Merge(line, other),
                Remove(line),
                Add(draw(st.integers(0, 30_000)), draw(st.integers(30_001, 60_000)), "judge", Language.KK, "иә"),
                Confirm((line, other)),
            ]
        )
    )


@given(st.lists(changes(), min_size=1, max_size=6))
def test_whatever_is_changed_lines_stay_whole_and_documents_say_the_same(made: list[Change]) -> None:
    try:
        done = effect(*made)
    except (BadInput, Stale):
        return
    for _, line in done.lines:
        assert [word.text for word in line.words] == line.text.split()
        assert all(word.start_ms <= word.end_ms for word in line.words)
        assert line.start_ms <= line.end_ms
        assert line.channel in CHANNELS
    numbers = [seq for seq, _ in done.lines]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) - {10 + place for place in range(6)} <= set(done.replaced) <= set(TEXT)
    one = Revision(4, "ab" * 32, Deed.EDIT, Author("s", "С", "secretary"), datetime.now(UTC), "r", done, None, None)
    assert read_revision(json.loads(document("r-1", one))) == one


@given(SPOKEN, SPOKEN)
def test_times_of_words_run_forwards_within_the_line(before: list[str], after: list[str]) -> None:
    old = words(" ".join(before), 2_000)
    found = retimed(old, " ".join(after), 2_000, old[-1].end_ms)
    assert [word.text for word in found] == " ".join(after).split()
    times = [ms for word in found for ms in (word.start_ms, word.end_ms)]
    assert times == sorted(times)
    assert all(2_000 <= ms <= old[-1].end_ms for ms in times)


def test_what_was_written_into_the_draft_takes_the_place_of_what_the_machine_hears_there() -> None:
    """The final pass cuts lines elsewhere than the draft; one machine line is heard at another microphone."""
    kept = [
        said("прошу всех встать", 1_000),  # over most of line 0
        said("долг шестьдесят тысяч тенге", 4_900, "witness"),  # over most of line 1, little of line 2
        said("иә", 20_000, "witness"),  # where the machine heard nothing
    ]
    made = carried(TEXT, kept, 10)
    assert made.replaced == (0, 1)
    assert [(seq, line.text) for seq, line in made.lines] == [
        (0, "прошу всех встать"),
        (1, "долг шестьдесят тысяч тенге"),
        (10, "иә"),
    ]
    elsewhere = carried(TEXT, [said("прошу всех встать", 1_000, "witness")], 10)
    assert (elsewhere.replaced, elsewhere.lines[0][0]) == ((), 10)


def test_two_revisions_are_compared_line_by_line() -> None:
    after = dict(TEXT)
    del after[2]
    after[1] = Line(1, 4, said("задолженность составляла шестьдесят", 5_000, "witness"))
    after[10] = Line(10, 4, said("иә", 500))
    added, changed_line, gone = compared(TEXT, after)
    assert (added.seq, added.before, added.words) == (10, None, (("new", "иә"),))
    assert changed_line.words == (
        ("same", "задолженность"),
        ("gone", "составляет"),
        ("new", "составляла"),
        ("same", "шестьдесят"),
        ("gone", "тысяч"),
    )
    assert (gone.seq, gone.after, gone.words) == (2, None, (("gone", "тенге"),))


def test_the_machines_text_is_a_document_too() -> None:
    lines = [line.said for line in TEXT.values()]
    body = machine_document("r-1", "engine", lines)
    assert read_machine(json.loads(body)) == ("engine", tuple(lines))
    assert sha256_hex(body) == sha256_hex(machine_document("r-1", "engine", lines))
    assert text_sha256(lines) != text_sha256(lines[:2])
