"""What FFmpeg says of a source that gives trouble, in one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from recorder.address import Address, Scheme

_PARTS = re.compile(r"^(\[[^\]]*\]\s*)+")  # FFmpeg's names for its parts
SILENT = "it sends nothing more; check its power, cable and network"
# What FFmpeg says of streams that are well.
_HARMLESS = re.compile(
    r"pts has no value|non-monoton|deprecated pixel format|timestamps are unset|max delay reached|RTP: missed"
    r"|keepalive|sample rate not set|decoding error|thread message queue",
    re.IGNORECASE,
)
# First fit wins; what stands above is the cause of what stands below.
_ROWS: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern, re.IGNORECASE), text)
    for pattern, text in (
        (
            r"\b401\b|unauthorized|authorization failed",
            "refuses the user name or password; correct them in its address",
        ),
        (
            r"\b403\b|forbidden",
            "does not let this user see the stream; give the user that right in the camera",
        ),
        (r"\b404\b|not found|stream not found", "has no stream of this name; correct the path of its address"),
        (r"certificate", "shows a certificate that is not trusted; add #ca=FILE with the camera's certificate"),
        (r"badsecret|wrong passphrase|incorrect passphrase", "refuses the passphrase; correct it in its address"),
        (r"resource busy|device busy", "is used by another program; end that program (fuser -v names it)"),
        (
            r"permission denied|operation not permitted",
            "may not be opened by this user; put the user in the groups video and audio",
        ),
        (
            r"cannot set channel count|channels? (count )?not (available|supported)",
            "does not have as many channels as are named; name each once: tyndau agent probe lists them",
        ),
        (
            r"connection refused|no such process",
            "is there but takes no connection; check the port and that the device serves it",
        ),
        (r"failed to resolve|name or service not known|temporary failure in name", "has an unknown host; correct it"),
        (
            r"no route to host|network is unreachable|timed out|timeout|i/o error|no answer",
            "does not answer; check its power, cable and address",
        ),
        (
            r"unsupported codec|unknown codec|no decoder|could not find codec parameters|could not write header",
            "sends a codec that is not understood; set it to H.264 and AAC or G.711",
        ),
        (r"could not find video device|cannot open .*device|no such (file|device)", "is not there; plug it in"),
        (
            r"invalid argument|not supported|inappropriate ioctl",
            "does not take this size, rate or format; leave them out of its address or name what the device lists",
        ),
        (r"cannot open display|failed to connect to x", "has no such screen; name the display, e.g. x11::0.0"),
        (r"unknown input format: '?(alsa|v4l2|pulse|x11grab)", "needs another FFmpeg; install Debian's ffmpeg"),
        (r"invalid data|end of file|input/output error", "broke off or sends no media; check the device"),
    )
)


def explained(address: Address, lines: Sequence[str]) -> str:
    """The cause among FFmpeg's last lines, as `it …; what to do (FFmpeg's own words)`; empty without lines.

    Lines that are none of ours are given as they are, without credentials.
    """
    said = [_PARTS.sub("", address.without_credentials(line)).strip() for line in lines if line.strip()]
    said = [line for line in said if not _HARMLESS.search(line)]
    for pattern, text in _ROWS:
        if found := next((line for line in said if pattern.search(line)), None):
            return f"it {_fitting(address, text)} ({found[:120]})"
    return said[-1] if said else ""


def _fitting(address: Address, text: str) -> str:
    if address.scheme is Scheme.PULSE and text.startswith("is there but"):
        return "finds no sound server; start PulseAudio or PipeWire for the agent's user"
    return text
