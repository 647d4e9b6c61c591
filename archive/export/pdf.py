"""A document as PDF, set by typst: PDF/A-2b, to be kept, where the fonts have all of its characters."""

from __future__ import annotations

from datetime import datetime

from archive.export.cards import Unset, typeset
from archive.export.document import Document


def to_pdf(document: Document, made: datetime) -> bytes:
    """The file; `made` is the time that it states.

    Raises:
        Misconfigured: typst is not installed.
    """
    stated, data = made.replace(microsecond=0), document.as_dict()
    try:
        return typeset("transcript.typ", data, format="pdf", pdf_standards="a-2b", timestamp=stated)
    except Unset:
        return typeset("transcript.typ", data, format="pdf", timestamp=stated)  # a box stands for what they lack
