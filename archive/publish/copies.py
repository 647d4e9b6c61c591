"""Making a set of access copies on disk and putting it into the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archive.domain.errors import NotFound, StoreRefused
from archive.domain.marks import digest
from archive.publish.boxes import Format
from archive.publish.finished import COPIES, statement
from archive.publish.plan import Plan
from archive.publish.playlists import Listed, densities, master_playlist, media_playlist
from archive.publish.rendition import Rendition
from archive.publish.sound import Peaks
from archive.publish.work import Work
from archive.storage.port import ObjectStore

MASTER = "master.m3u8"
_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mp4": "video/mp4",
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".vtt": "text/vtt",
}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Copies:
    """A finished set in `folder`; `contents` as the catalogue keeps it, paths relative to the folder."""

    folder: Path
    contents: dict[str, Any]
    made_from: str  # SHA-256 of the manifest
    marks: str  # digest of what is concealed
    unreadable: tuple[int, ...]  # seqs of segments that are holes in these copies


def make_copies(plan: Plan, evidence: ObjectStore, folder: Path, scratch: Path) -> Copies:
    """Access copies of `plan` in the empty `folder`; `scratch` is a file outside of it, to be used.

    Memory does not grow with the recording's length; the folder grows to about the evidence's size.

    Segments that are missing, altered or unreadable become holes (PUB-001); the rest is published.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    with closing(Work(plan, folder)) as work:
        work.run(evidence, scratch)
    video = [_put(plan, folder, c.rendition, c.source.name) for c in work.cameras.values() if c.rendition]
    sounds = [_put(plan, folder, m.rendition, m.id) for m in work.sounding if m.rendition]
    if work.sounding:
        sounds.insert(0, _put(plan, folder, work.mix, "mix"))
        _put_peaks(folder, "mix", work.mix_peaks)
    else:
        _discard(folder, work.mix)
    for microphone in work.sounding:
        _put_peaks(folder, microphone.id, microphone.peaks)
    if video or sounds:
        (folder / MASTER).write_text(master_playlist(video, sounds))
    posters = [c.poster for c in work.cameras.values() if c.poster]
    if posters:
        (folder / "poster.jpg").write_bytes(posters[0])
    return Copies(
        folder, _contents(work, folder, bool(posters)), plan.made_from, digest(plan.hidden), tuple(work.unreadable)
    )


def upload(copies: Copies, derived: ObjectStore, prefix: str) -> bool:
    """Put every file under `prefix`, copies.json last; equal ones that are there already are left alone.
    False when other bytes are stored under one of the names.

    Raises:
        StoreRefused: the store says no for another reason.
        StoreUnavailable: the store does not answer.
    """
    files = copies.contents["files"].items()
    whole = all(_keep(derived, prefix + path, copies.folder / path, about["content_type"]) for path, about in files)
    return whole and _keep(
        derived, prefix + COPIES, statement(copies.made_from, copies.marks, copies.contents), _TYPES[".json"]
    )


def _keep(store: ObjectStore, key: str, body: bytes | Path, content_type: str) -> bool:
    """Put it; False when other bytes are stored under its name."""
    try:
        store.put(key, body, content_type=content_type)
    except StoreRefused:
        if _stored(store, key):
            return False
        raise
    return True


def _stored(store: ObjectStore, key: str) -> bool:
    try:
        store.head(key)
    except NotFound:
        return False
    return True


def _put(plan: Plan, folder: Path, rendition: Rendition, name: str) -> Listed:
    """Write the rendition's playlist; what the master says of it."""
    path = f"{rendition.stem}.m3u8"
    (folder / path).write_text(media_playlist(rendition.entries, plan.end, plan.zero_utc, path))
    peak, mean = densities(rendition.entries, plan.end)
    return Listed(name, path, _main_format(rendition), peak, mean)


def _main_format(rendition: Rendition) -> Format:
    own = (file.format for file in rendition.files if not file.path.endswith(".none.mp4"))
    return next(own, rendition.files[0].format)  # a picture may be concealed as a whole


def _put_peaks(folder: Path, stem: str, peaks: Peaks) -> None:
    (folder / f"{stem}.json").write_text(json.dumps(peaks.as_json(), separators=(",", ":")))


def _discard(folder: Path, rendition: Rendition) -> None:
    for file in rendition.files:
        (folder / file.path).unlink()


def _contents(work: Work, folder: Path, poster: bool) -> dict[str, Any]:
    audio = [_sound("mix", "", None)] if work.sounding else []
    audio += [_sound(m.id, m.source.name, m.channel) for m in work.sounding]
    cameras = {name: c.thumbnails.track for name, c in work.cameras.items() if c.rendition}
    return {
        "master": MASTER if (folder / MASTER).exists() else None,  # null: nothing can be played
        "video": [{"source": name, "name": name, "thumbnails": track} for name, track in cameras.items()],
        "audio": audio,
        "poster": "poster.jpg" if poster else None,
        "thumbnails": next((track for track in cameras.values() if track), None),  # the first camera's
        "text": None,  # comes with publish.text
        "unreadable": list(work.unreadable),
        "files": dict(_files(folder)),
    }


def _sound(id_: str, source: str, channel: str | None) -> dict[str, Any]:
    return {"id": id_, "source": source, "channel": channel, "playlist": f"{id_}.m3u8", "peaks": f"{id_}.json"}


def _files(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        about = {"size": path.stat().st_size, "content_type": _TYPES[path.suffix], "sha256": digest}
        yield path.relative_to(folder).as_posix(), about
