"""Subtitles of a published recording: one WebVTT per language, and a master playlist that offers them.

The text comes before the copies or after them, and may be corrected later. So it is a set of its own under the
copies' prefix, named by its revision and its content; `text/…/text.json` is put last and says what it was made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archive.domain.transcript import Transcript, by_language
from archive.domain.transcript_formats import MACHINE, to_vtt

MASTER_TYPE = "application/vnd.apple.mpegurl"
VTT_TYPE = "text/vtt"
_GROUP = "text"
_NAMES = {"kk": "Қазақша", "ru": "Русский", "und": "?"}  # as people call their languages
# Media begins at nought of the time line, and so do the cues (RFC 8216, 3.5).
_ZERO = "X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0"
_VARIANT = "#EXT-X-STREAM-INF:"


@dataclass(frozen=True, slots=True)
class Source:
    """What subtitles are made from."""

    manifest: str  # SHA-256; of the copies that they are shown over
    revision: int
    transcript: str  # SHA-256 of all its lines (revision_file.text_sha256)

    def as_dict(self) -> dict[str, Any]:
        """As it is kept in the contents and in text.json."""
        return {"manifest": self.manifest, "revision": self.revision, "transcript": self.transcript}


@dataclass(frozen=True, slots=True)
class Subtitles:
    """A finished set: files by their path under the copies' prefix, and what the catalogue says of it."""

    files: Mapping[str, tuple[bytes, str]]  # bytes and content type, the closing document last
    master: str
    listed: list[dict[str, str]]
    source: Source

    def contents(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The contents of the copies with these subtitles; files of earlier ones stay, someone may be watching."""
        added = {path: _about(body, type_) for path, (body, type_) in self.files.items() if not path.endswith(".json")}
        files = {**before["files"], **added}
        text = {**self.source.as_dict(), "subtitles": self.listed}
        return {**before, "master": self.master, "text": text, "files": files}


def make_subtitles(transcript: Transcript, source: Source, master: str) -> Subtitles:
    """Subtitles of all languages that are spoken; `master` is the copies' own master playlist."""
    spoken = by_language(transcript.utterances)
    about = (f"Revision {source.revision} of the text.",) if source.revision else (MACHINE,)
    texts = {language: to_vtt(replace(transcript, utterances=own), about, _ZERO).encode() for language, own in spoken}
    digest = hashlib.sha256(json.dumps(source.as_dict()).encode() + master.encode() + b"".join(texts.values()))
    name = f"r{source.revision}-{digest.hexdigest()[:16]}"
    files: dict[str, tuple[bytes, str]] = {}
    listed = []
    for language, body in texts.items():
        stem = f"text/{name}/{language}"
        files[f"{stem}.vtt"] = body, VTT_TYPE
        files[f"{stem}.m3u8"] = _playlist(f"{language}.vtt", transcript.duration_ms).encode(), MASTER_TYPE
        listed.append(
            {"language": language, "name": _NAMES[language], "file": f"{stem}.vtt", "playlist": f"{stem}.m3u8"}
        )
    path = f"master.{name}.m3u8"
    files[path] = _offering(master, listed).encode(), MASTER_TYPE
    told = {**source.as_dict(), "master": path, "subtitles": listed}
    closing = json.dumps(told, ensure_ascii=False, sort_keys=True).encode()
    files[f"text/{name}/text.json"] = closing, "application/json"
    return Subtitles(files, path, listed, source)


def _playlist(file: str, duration_ms: int) -> str:
    """One file for the whole recording: text is small."""
    seconds = max(1, -(-duration_ms // 1000))
    lines = ["#EXTM3U", "#EXT-X-VERSION:8", f"#EXT-X-TARGETDURATION:{seconds}", "#EXT-X-PLAYLIST-TYPE:VOD"]
    return "\n".join([*lines, f"#EXTINF:{max(duration_ms, 1) / 1000:.3f},", file, "#EXT-X-ENDLIST", ""])


def _offering(master: str, listed: list[dict[str, str]]) -> str:
    """The master playlist with the subtitles added; shown only to who asks for them."""
    media = [
        f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="{_GROUP}",NAME="{each["name"]}",LANGUAGE="{each["language"]}",'
        f'DEFAULT=NO,AUTOSELECT=NO,FORCED=NO,URI="{each["playlist"]}"'
        for each in listed
    ]
    lines: list[str] = []
    for line in master.splitlines():
        if line.startswith(_VARIANT):
            lines += media
            media = []
            line += f',SUBTITLES="{_GROUP}"' if listed else ""
        lines.append(line)
    return "\n".join([*lines, ""])


def _about(body: bytes, content_type: str) -> dict[str, Any]:
    return {"size": len(body), "content_type": content_type, "sha256": hashlib.sha256(body).hexdigest()}
