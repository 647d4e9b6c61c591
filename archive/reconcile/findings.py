"""What can be wrong between the object store and the catalogue. Nothing is ever deleted because of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from archive.domain.errors import TyndauError


class Code(StrEnum):
    """One kind of finding. Those above the line are mended by `--repair`, those below need a person."""

    RECORDING_UNKNOWN = "recording_unknown"  # lies in the store, the catalogue does not know it
    LINE_MISSING = "line_missing"  # the store proves lines that the catalogue does not have
    NOT_CLOSED = "not_closed"  # the store has a signed manifest, the catalogue takes it for open
    CARD_MISSING = "card_missing"  # nothing beside the evidence says which hearing it is of
    RECEIPT_MISSING = "receipt_missing"  # closed, and no receipt says that its bytes were read back
    COPIES_MISSING = "copies_missing"  # closed, and nothing to watch or hear was made of it
    TEXT_MISSING = "text_missing"  # closed, and there is no final text
    REVISION_MISSING = "revision_missing"  # what people did to the text does not lie in the store
    # ---
    REVISION_DIFFERS = "revision_differs"  # the store has another revision of the text than the catalogue
    OBJECT_MISSING = "object_missing"  # a line names it
    OBJECT_SIZE = "object_size"  # not the length that its line says
    OBJECT_ALTERED = "object_altered"  # other bytes than its line says
    OBJECT_EXTRA = "object_extra"  # named like evidence, and no line names it
    OBJECT_FOREIGN = "object_foreign"  # of a name that this program does not give
    DOCUMENT_MISSING = "document_missing"  # of a closed recording: manifest, key, chain, or a signature that holds
    LINE_DIFFERS = "line_differs"  # proven lines with other bytes than the catalogue's, or that it lost since
    CHAIN_UNPROVEN = "chain_unproven"  # no start line that a key beside it proves
    KEY_UNKNOWN = "key_unknown"  # signed with a key that is no agent's of this room
    KEY_WITHDRAWN = "key_withdrawn"  # signed with a key that was withdrawn, and no receipt from before
    ROOM_UNKNOWN = "room_unknown"  # of a courtroom or an agent that the catalogue does not know


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit; `mended` says what was done about it, empty = nothing."""

    code: Code
    courtroom: str
    recording: str
    detail: str
    mended: str = ""


class Refused(TyndauError):
    """A recording in the store cannot be taken into the catalogue; a person has to look."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code
