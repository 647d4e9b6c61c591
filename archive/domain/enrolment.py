"""What an agent and the centre must agree on to let the agent in.

The administrator makes a code. Whoever holds it sends an evidence key and a signature by that key over
the code: the code is the challenge, made by the centre and good once. The administrator then compares
the key's fingerprint with the one on the courtroom machine's screen. Later the same key signs for each
new access token, so that an old token alone opens nothing.
"""

from __future__ import annotations

import hashlib
import secrets

from archive.domain.errors import BadInput

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without I, L, O, U: nobody mistakes them (Crockford's base 32)
CODE_CHARS = 20  # 100 bits
GROUP = 4
_MISREAD = str.maketrans("ILO", "110", " -\t")


def new_code() -> str:
    """A one-time code in groups, to be typed by a person."""
    return groups("".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS)), "-")


def groups(text: str, between: str = " ") -> str:
    """`text` in groups of four, to be compared or typed by eye."""
    return between.join(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def plain_code(typed: str) -> str:
    """A typed code without dashes and blanks, in capitals, with letters that look like digits as digits.

    Raises:
        BadInput: it cannot be a code.
    """
    code = typed.upper().translate(_MISREAD)
    if len(code) != CODE_CHARS or set(code) - set(ALPHABET):
        raise BadInput("this is not an enrolment code; it looks like 7K3M-0Q9T-V2XA-81HC-5DWN")
    return code


def code_sha256(typed: str) -> str:
    """How a code is kept and looked up."""
    return hashlib.sha256(plain_code(typed).encode()).hexdigest()


def plain_fingerprint(typed: str) -> str:
    """A typed fingerprint without what stands between its groups, in small letters.

    Raises:
        BadInput: it is not a SHA-256.
    """
    plain = typed.lower().translate(str.maketrans("", "", " :-\t\n"))
    if len(plain) != 64 or set(plain) - set("0123456789abcdef"):
        raise BadInput("this is not a whole fingerprint; it has 64 characters of 0-9 and a-f")
    return plain


def enrolment_proof(code: str, key_sha256: str) -> bytes:
    """What the key signs to be enrolled."""
    return f"tyndau enrolment 1\n{code_sha256(code)}\n{key_sha256}\n".encode()


def renewal_proof(token: str) -> bytes:
    """What the key signs to have the token `token` replaced."""
    return f"tyndau token 1\n{hashlib.sha256(token.encode()).hexdigest()}\n".encode()
