"""The text of a record as a document, as PDF and as DOCX."""

from __future__ import annotations

import io
import shutil
import subprocess
import uuid
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.domain.access import AccessClass
from archive.domain.errors import Misconfigured
from archive.domain.marks import Mark, Picture, Sound
from archive.domain.revision_file import Author, Deed, Revision
from archive.domain.transcript import Language, Transcript, TranscriptState, Utterance
from archive.export.document import document, elapsed
from archive.export.docx import to_docx
from archive.export.pdf import to_pdf
from archive.export.words import WORDS
from tests.examples import examples
from tests.export.conftest import END_MS, Kept
from tests.publish.hearing import ZERO

WHO = "Ахметов Нұрлан (akhmetov), 27.11.2026, 3f9a2c11"


def words_of(data: bytes) -> str:
    """All text of a DOCX, in order."""
    opened = docx.Document(io.BytesIO(data))
    cells = [cell.text for table in opened.tables for row in table.rows for cell in row.cells]
    footer = [p.text for p in opened.sections[0].footer.paragraphs]
    return "\n".join([*(p.text for p in opened.paragraphs), *cells, *footer])


def test_it_says_of_what_when_and_for_whom(kept: Kept) -> None:
    made = document(kept.record, WORDS["ru"], WHO)
    facts = dict(made.facts)
    assert facts["Суд"] == "Первый зал"
    assert facts["Гражданское дело"] == "№ 7119-26-00-2/123"
    assert facts["Дата заседания"] == "14 сентября 2026 года, 10:15:00–10:16:10"
    assert facts["Длительность"] == elapsed(END_MS) == "00:01:10"
    assert ("Председательствующий", "Ахметов Н. С.") in made.people
    assert WHO in made.footer
    assert "не является протоколом" in made.notice
    kazakh = document(kept.record, WORDS["kk"], WHO)
    assert dict(kazakh.facts)["Отырыс күні"] == "2026 жылғы 14 қыркүйек, 10:15:00–10:16:10"


def test_its_lines_are_what_was_said_and_what_happened_in_order(kept: Kept) -> None:
    lines = document(kept.record, WORDS["ru"], WHO).lines
    assert [(one.clock, one.speaker, one.text) for one in lines] == [
        ("10:15:00", "", "Запись начата"),
        ("10:15:01", "Председательствующий", "слушается дело"),
        ("10:15:02", "", "Заседание открыто"),
        ("10:15:02", "Истец", "талап арыз"),
        ("10:15:15", "", "Ходатайство: о вызове свидетеля"),
        ("10:15:18", "", "Запись приостановлена: совещательная комната (10:15:18–10:16:00)"),
        ("10:16:01", "Председательствующий", "[?] продолжим"),
        ("10:16:04", "Свидетель", "м-м [говорят одновременно]"),
    ]


def test_a_signed_text_says_who_stands_by_it(kept: Kept) -> None:
    seals = [
        Revision(4 + place, "", deed, Author("x", name, "r"), ZERO + timedelta(hours=place), "", text_sha256="ab" * 32)
        for place, (deed, name) in enumerate(((Deed.CERTIFY, "Хатшы А."), (Deed.SIGN, "Судья Б.")))
    ]
    signed = replace(kept.record, revision=5, state=TranscriptState.SIGNED, seals=seals)
    made = document(signed, WORDS["ru"], WHO)
    assert (made.title, made.notice) == ("Заверенный текст судебного заседания", "")
    facts = dict(made.facts)
    assert facts["Заверено секретарём"] == "Хатшы А., 14 сентября 2026 года, 10:15:00"
    assert facts["Подписано судьёй"] == "Судья Б., 14 сентября 2026 года, 11:15:00"
    assert (facts["Текст"], facts["SHA-256"]) == ("редакция 5", "ab" * 32)
    assert "ab" * 32 in words_of(to_docx(made, ZERO))
    assert to_pdf(made, ZERO).startswith(b"%PDF")
    mark = Mark(uuid.uuid4(), 1_000, 2_000, AccessClass.SEALED, Picture.BLACK, Sound.SILENT)
    partly = replace(signed, recording=replace(signed.recording, unseen=(mark,)))
    assert "SHA-256" not in dict(document(partly, WORDS["ru"], WHO).facts)  # it is not that of what is shown


def test_a_corrected_text_is_not_called_the_machines(kept: Kept) -> None:
    edited = replace(kept.record, revision=2, state=TranscriptState.EDITED)
    assert "ещё не заверен" in document(edited, WORDS["ru"], WHO).notice


def test_names_are_not_told_to_whoever_may_not_have_them(kept: Kept) -> None:
    made = document(replace(kept.record, details=False), WORDS["ru"], WHO)
    assert made.people == ()
    assert "долга" not in str(made)


@pytest.mark.parametrize("language", WORDS)
def test_docx_holds_all_of_it(kept: Kept, language: str) -> None:
    made = document(kept.record, WORDS[language], WHO)
    data = to_docx(made, ZERO)
    text = words_of(data)
    for part in (made.title, made.notice, made.footer, *made.columns, *(v for _, v in made.facts)):
        assert part in text
    assert all(one.text in text and one.clock in text for one in made.lines)
    assert "{{" not in text
    assert "{%" not in text
    assert data == to_docx(made, ZERO), "equal documents have equal bytes"


@pytest.mark.parametrize("language", WORDS)
def test_pdf_is_one_to_keep_and_holds_all_of_it(kept: Kept, language: str, tmp_path: Path) -> None:
    made = document(kept.record, WORDS[language], WHO)
    data = to_pdf(made, ZERO)
    assert data.startswith(b"%PDF-1.7")
    assert b"pdfaid:part>2" in data
    assert data == to_pdf(made, ZERO)
    if not shutil.which("pdftotext"):
        return
    (tmp_path / "text.pdf").write_bytes(data)
    told = subprocess.run(["pdftotext", "-layout", tmp_path / "text.pdf", "-"], capture_output=True, check=True)
    for part in (made.title, *(one.clock for one in made.lines), "слушается дело", "талап арыз"):
        assert part in told.stdout.decode()


@examples(25)
@given(text=st.text(max_size=200), name=st.text(max_size=40))
def test_no_text_breaks_a_document(kept: Kept, text: str, name: str) -> None:
    said = Transcript(END_MS, (Utterance(0, 1, "judge", Language.RU, text),), "test")
    hearing = replace(kept.record.hearing, case_title=name, case_number=f"{{{{ 1 }}}} <b> {name}")
    made = document(replace(kept.record, text=said, hearing=hearing), WORDS["kk"], f"#{name}$")
    assert to_pdf(made, ZERO).startswith(b"%PDF")
    assert "{{ 1 }} <b>" in words_of(to_docx(made, ZERO))


def test_a_court_has_a_template_of_its_own(kept: Kept, tmp_path: Path) -> None:
    own, made = docx.Document(), document(kept.record, WORDS["kk"], WHO)
    own.add_paragraph("Елтаңба {{ title }}{% for one in lines %} {{ one.text }}{% endfor %}")
    own.save(tmp_path / "own.docx")
    text = words_of(to_docx(made, ZERO, tmp_path / "own.docx"))
    assert f"Елтаңба {made.title}" in text
    assert "слушается дело" in text
    own.add_paragraph("{% for one in %}")
    own.save(tmp_path / "own.docx")
    (tmp_path / "none.docx").write_bytes(b"no zip")
    for name in ("own.docx", "none.docx", "missing.docx"):
        with pytest.raises(Misconfigured, match=r"exports\.docx_template"):
            to_docx(made, ZERO, tmp_path / name)


def test_the_parts_of_a_docx_say_nothing_of_this_machine(kept: Kept) -> None:
    data = to_docx(document(kept.record, WORDS["kk"], WHO), ZERO)
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        core = parts.read("docProps/core.xml").decode()
        assert {one.date_time for one in parts.infolist()} == {(2026, 9, 14, 5, 15, 0)}
    assert "python-docx" not in core
    assert "2013" not in core
