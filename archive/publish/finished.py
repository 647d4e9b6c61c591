"""A finished set of access copies says so itself: `copies.json`, put last under its prefix.

So the derived bucket alone tells which sets are whole, and a rebuilt catalogue can take them over.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any, NamedTuple

from archive.domain.errors import NotFound
from archive.storage.port import ObjectStore

FORMAT = 1  # of copies.json and of what it lists; a set of another format is made anew
COPIES = "copies.json"
_LONGEST = 64 << 20  # bytes; hours of ten sources need some kilobytes
_VERSION = re.compile(r"v([1-9]\d{0,8})")


class Finished(NamedTuple):
    """A whole set in the derived bucket, as an AccessCopy row keeps it."""

    version: int
    made_from: str  # SHA-256 of the manifest
    prefix: str
    contents: dict[str, Any]
    marks: str  # digest of what is concealed


def prefix_of(recording: str, version: int) -> str:
    """Where a version of a recording's copies lies in the derived bucket."""
    return f"{recording}/media/v{version}/"


def picture_stem(camera: str) -> str:
    """The beginning of the names of a camera's picture in a set."""
    return f"{camera}/_video"


def statement(made_from: str, marks: str, contents: dict[str, Any]) -> bytes:
    """The bytes of copies.json: equal for equal copies."""
    about = {"format": FORMAT, "made_from": made_from, "marks": marks, "contents": contents}
    return json.dumps(about, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def read_copies(derived: ObjectStore, recording: str) -> list[Finished]:
    """The finished sets of a recording by version. Left out: a set without copies.json (never finished), of
    another format, or of which a listed file is missing or has another size.

    Raises:
        StoreUnavailable, StoreRefused: the bucket does not answer, or says no.
    """
    root = f"{recording}/media/"
    versions: dict[int, dict[str, int]] = defaultdict(dict)
    for stored in derived.list(root):
        folder, _, path = stored.key.removeprefix(root).partition("/")
        if match := _VERSION.fullmatch(folder):
            versions[int(match[1])][path] = stored.size
    found = (_read(derived, recording, version, sizes) for version, sizes in sorted(versions.items()))
    return [each for each in found if each is not None]


def _read(derived: ObjectStore, recording: str, version: int, sizes: dict[str, int]) -> Finished | None:
    prefix = prefix_of(recording, version)
    if COPIES not in sizes:
        return None
    try:
        with derived.open_range(prefix + COPIES) as body:
            about = json.loads(body.read(_LONGEST))
        contents = about["contents"]
        whole = all(sizes.get(path) == file["size"] for path, file in contents["files"].items())
        made_from, marks = about["made_from"], about["marks"]
        known = about["format"] == FORMAT and isinstance(made_from, str) and isinstance(marks, str)
    except (NotFound, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Finished(version, made_from, prefix, contents, marks) if known and whole else None
