"""A transcript as JSON, WebVTT, SubRip and plain text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from archive.domain.transcript import Flag, Transcript, Utterance
from archive.domain.transcript_file import as_dict

MACHINE = "Machine transcript. It is not a protocol of the hearing; what is marked [?] is doubtful."

About = Sequence[str]  # which text it is: lines for the head of a file. SubRip has no place for them but a cue


def to_json(transcript: Transcript, about: About = ()) -> str:
    """One JSON document, UTF-8 as it is spoken."""
    told = {"about": list(about)} if about else {}
    return json.dumps({**told, **as_dict(transcript)}, ensure_ascii=False, indent=1) + "\n"


def to_vtt(transcript: Transcript, about: About = (MACHINE,), header: str = "") -> str:
    """WebVTT, a cue an utterance, the microphone as its voice; `header` is a line of the file's head."""
    cues = (
        f"{clock(one.start_ms)} --> {clock(_end_ms(one))}\n"
        f"<v {_escaped(one.channel)}><lang {one.language.value}>{_escaped(_text(one))}</lang>\n"
        for one in transcript.utterances
    )
    head = f"WEBVTT\n{header}\n" if header else "WEBVTT\n"
    note = "".join(f"{_escaped(line)}\n" for line in about)
    return "\n".join((head, f"NOTE\n{note}", *cues))


def to_srt(transcript: Transcript, about: About = ()) -> str:
    """SubRip, numbered from 1, the microphone before the text; the first cue says for a thousandth what it is."""
    told = [(0, 1, "\n".join(about))] if about else []
    said = [(one.start_ms, _end_ms(one), f"{one.channel}: {_text(one)}") for one in transcript.utterances]
    cues = (
        f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{text}\n"
        for number, (start, end, text) in enumerate((*told, *said), 1)
    )
    return "\n".join(cues)


def to_txt(transcript: Transcript, about: About = ()) -> str:
    """A line an utterance: time, microphone, text; before them what it is."""
    return "".join((*(f"# {line}\n" for line in about), *_plain(transcript)))


def _plain(transcript: Transcript) -> Iterator[str]:
    for one in transcript.utterances:
        yield f"[{clock(one.start_ms)}] {one.channel}: {_text(one)}\n"


WRITERS: Mapping[str, Callable[[Transcript, About], str]] = {
    "json": to_json,
    "vtt": to_vtt,
    "srt": to_srt,
    "txt": to_txt,
}


def _text(one: Utterance) -> str:
    return f"[?] {one.text}" if Flag.UNCLEAR in one.flags else one.text


def _end_ms(one: Utterance) -> int:
    """A cue of no length is never shown."""
    return max(one.end_ms, one.start_ms + 1)


def clock(ms: int, sign: str = ".") -> str:
    """Hours, minutes, seconds and thousandths, as WebVTT writes them."""
    seconds, rest = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{sign}{rest:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
