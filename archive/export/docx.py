"""A document as DOCX, from a template that a court can replace with its own.

The fields of a template (docxtpl, Jinja2): `title`, `notice`, `footer`, `page`, `people_title`, `columns`; the lists
`facts` and `people` of pairs, and `lines` with `clock`, `elapsed`, `speaker`, `text`.
"""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

from archive.domain.errors import Misconfigured
from archive.export.document import Document

_FONT = "Times New Roman"
_GREY = "5A5A5A"


def to_docx(document: Document, made: datetime, template: Path | None = None) -> bytes:
    """The file; `made` is the time that it states, so that equal documents have equal bytes.

    Raises:
        Misconfigured: docxtpl is not installed, or the court's template cannot be used.
    """
    try:
        from docxtpl import DocxTemplate
    except ModuleNotFoundError as error:
        raise Misconfigured("docxtpl is missing; install tyndau[server]") from error
    filled = io.BytesIO()
    try:
        made_of = DocxTemplate(str(template) if template else io.BytesIO(_template()))
        made_of.render(document.as_dict(), autoescape=True)
        properties = made_of.docx.core_properties
        properties.title, properties.author, properties.last_modified_by = document.title, "", ""
        properties.comments = ""
        properties.created = properties.modified = made.replace(tzinfo=None)
        made_of.save(filled)
    except Exception as error:  # whatever may be wrong with a file that somebody else made
        if template is None:
            raise
        raise Misconfigured(f"exports.docx_template cannot be used ({error}); mend {template}") from error
    return _of_time(filled.getvalue(), made)


def _of_time(data: bytes, made: datetime) -> bytes:
    """The same archive with `made` as the time of all its parts."""
    moment, out = made.timetuple()[:6], io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            after.writestr(zipfile.ZipInfo(name, moment), before.read(name), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _template() -> bytes:
    """Our own template."""
    import docx
    from docx.shared import Mm, Pt

    page: Any = docx.Document()
    section = page.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin, section.right_margin = Mm(30), Mm(15)
    section.top_margin, section.bottom_margin = Mm(20), Mm(20)
    normal = page.styles["Normal"]
    normal.font.name, normal.font.size = _FONT, Pt(12)
    normal.paragraph_format.space_after = Pt(2)
    _centred(page.add_paragraph(), "{{ title }}")
    _rows(page, "facts", ("{{ row[0] }}", "{{ row[1] }}"), (Mm(45), Mm(120)))
    page.add_paragraph("{%p if people %}")
    _written(page.add_paragraph(), "{{ people_title }}", bold=True)
    page.add_paragraph("{%p endif %}")
    _rows(page, "people", ("{{ row[0] }}", "{{ row[1] }}"), (Mm(65), Mm(100)))
    _written(page.add_paragraph(), "{{ notice }}", italic=True, size=10)
    _text(page)
    foot = section.footer.paragraphs[0]
    _written(foot, "{{ footer }} · {{ page }} ", size=8)
    _field(foot, "PAGE")
    out = io.BytesIO()
    page.save(out)
    return out.getvalue()


def _rows(page: Any, name: str, cells: tuple[str, str], widths: tuple[Any, Any]) -> None:
    table = page.add_table(rows=3, cols=2)
    _wide(table, widths)
    table.rows[0].cells[0].text = f"{{%tr for row in {name} %}}"
    table.rows[2].cells[0].text = "{%tr endfor %}"
    for cell, text, colour in zip(table.rows[1].cells, cells, (_GREY, None), strict=True):
        _written(cell.paragraphs[0], text, colour=colour)
    page.add_paragraph()


def _text(page: Any) -> None:
    """The lines; one without a speaker says what happened, over two columns."""
    from docx.shared import Mm

    table = page.add_table(rows=4, cols=3)
    table.style = "Table Grid"
    _wide(table, (Mm(22), Mm(38), Mm(105)))
    for cell, number in zip(table.rows[0].cells, range(3), strict=True):
        _written(cell.paragraphs[0], f"{{{{ columns[{number}] }}}}", bold=True, size=10)
    _repeated(table.rows[0])
    table.rows[1].cells[0].text = "{%tr for row in lines %}"
    table.rows[3].cells[0].text = "{%tr endfor %}"
    first, second, third = table.rows[2].cells
    _written(first.paragraphs[0], "{{ row.clock }}", size=10)
    _written(first.add_paragraph(), "{{ row.elapsed }}", size=8, colour=_GREY)
    _written(second.paragraphs[0], "{{ row.speaker }}", bold=True, size=11)
    said = third.paragraphs[0]
    _written(said, "{% if row.speaker %}{{ row.text }}{% endif %}")
    _written(said, "{% if not row.speaker %}{{ row.text }}{% endif %}", italic=True, colour=_GREY)


def _wide(table: Any, widths: tuple[Any, ...]) -> None:
    """Some programs go by the columns' widths, others by the cells'."""
    table.autofit = False
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
        for cell in column.cells:
            cell.width = width


def _centred(paragraph: Any, text: str) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _written(paragraph, text, bold=True, size=14)


def _written(
    paragraph: Any, text: str, *, bold: bool = False, italic: bool = False, size: int | None = None,
    colour: str | None = None,
) -> None:  # fmt: skip
    from docx.shared import Pt, RGBColor

    run = paragraph.add_run(text)
    run.bold, run.italic = bold, italic
    if size:
        run.font.size = Pt(size)
    if colour:
        run.font.color.rgb = RGBColor.from_string(colour)


def _repeated(row: Any) -> None:
    """Printed anew at the top of each page."""
    from docx.oxml import OxmlElement

    row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))


def _field(paragraph: Any, name: str) -> None:
    """A number that the word processor reckons."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    run = paragraph.add_run()
    for kind in ("begin", "instr", "end"):
        element = OxmlElement("w:instrText" if kind == "instr" else "w:fldChar")
        if kind == "instr":
            element.text = name
        else:
            element.set(qn("w:fldCharType"), kind)
        run._r.append(element)
