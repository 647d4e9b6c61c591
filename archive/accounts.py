"""Local accounts. Passwords are kept as argon2id hashes (RFC 9106)."""

from __future__ import annotations

import re
import secrets
import uuid
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session
from zxcvbn import zxcvbn

from archive.db import people
from archive.db.people import Person
from archive.domain.access import Role
from archive.domain.errors import BadInput, Conflict, NotFound, NotSignedIn, PoorPassword, WrongPassword

USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
MIN_PASSWORD_CHARS = 8
MAX_PASSWORD_CHARS = 256
LANGUAGES = ("kk", "ru", "en")
MIN_GUESSES = 10**6  # zxcvbn's line between what throttling alone holds off and what it need not
ESTIMATED_CHARS = 72  # an estimate's time grows with the square of them
COMMON_HERE = ("пароль", "құпиясөз", "йцукен", "йцукенгшщз", "gfhjkm", "казахстан", "қазақстан", "tyndau", "тыңдау")


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    return _hasher().hash(secrets.token_hex(16))


def add_user(
    session: Session,
    *,
    username: str,
    password: str | None,
    display_name: str,
    role: Role,
    court: str | None = None,
    language: str = "ru",
    must_change: bool = False,
) -> uuid.UUID:
    """A new account; `court` is a court's code. `must_change`: the password is good for the first sign-in only.

    Without a password the person signs in at the provider alone.

    Raises:
        BadInput: a name, password, court or language that cannot be.
        Conflict: the user name is taken.
    """
    name = username.lower()
    if not USERNAME.fullmatch(name):
        raise BadInput(f"user name {username!r} cannot be; use 2-64 of a-z, 0-9, '.', '_', '-' and '@'")
    if language not in LANGUAGES:
        raise BadInput(f"language {language!r} is not known; use kk, ru or en")
    court_id = people.court_id(session, court) if court else None
    if court and court_id is None:
        raise BadInput(f"there is no court {court!r}; add it first or check its code")
    made = people.insert_person(
        session,
        username=name,
        display_name=display_name or name,
        role=role,
        court=court_id,
        language=language,
        password_hash=None if password is None else hash_password(password, name),
        must_change=must_change,
    )
    if made is None:
        raise Conflict(f"user name {name!r} is taken; choose another")
    return made


def hash_password(password: str, username: str) -> str:
    """The argon2id hash to store.

    Raises:
        PoorPassword: too short or too long, or guessed too easily.
    """
    check_password(password, username)
    return _hasher().hash(password)


def check_password(password: str, username: str) -> None:
    """Nothing for a password that this person may have. How easily one is guessed is zxcvbn's estimate.

    Raises:
        PoorPassword: too short or too long, or guessed too easily (leaked lists, names, keyboard rows, dates).
    """
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise PoorPassword(f"a password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters; choose another")
    estimate = zxcvbn(password[:ESTIMATED_CHARS], user_inputs=[username, *COMMON_HERE])
    if estimate["guesses"] < MIN_GUESSES:
        raise PoorPassword("this password is guessed too easily; choose several words that only you know")


def authenticate(session: Session, username: str, password: str) -> Person:
    """Whoever has this name and password. An unknown name costs the same time as a wrong password.

    Raises:
        NotSignedIn: they do not fit, or the account is disabled; which of these is not said.
    """
    found = people.credentials(session, username)
    stored = found.password_hash if found and found.password_hash else None
    fits = _verify(stored or _nobodys_hash(), password[:MAX_PASSWORD_CHARS])
    if found is None or stored is None or not fits or found.person.disabled_utc is not None:
        raise NotSignedIn("the name or the password is wrong; try again")
    if _hasher().check_needs_rehash(stored):
        people.set_password_hash(session, found.person.id, _hasher().hash(password))
    return found.person


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def change_password(session: Session, person: Person, current: str, new: str) -> None:
    """Replace a password by its owner.

    Raises:
        WrongPassword: the current one is wrong.
        PoorPassword: the new one cannot be, is the same, or is the user name.
    """
    found = people.credentials(session, person.username)
    stored = found.password_hash if found and found.password_hash else _nobodys_hash()
    if not _verify(stored, current[:MAX_PASSWORD_CHARS]):
        raise WrongPassword("the current password is wrong; try again")
    if new == current or new.lower() == person.username:
        raise PoorPassword("choose a password that is neither the old one nor your user name")
    people.set_password_hash(session, person.id, hash_password(new, person.username))
    people.set_must_change(session, person.id, False)


def reset_password(session: Session, username: str, password: str) -> Person:
    """Give somebody a password for the next sign-in, at which an own one has to be chosen.

    Raises:
        NotFound: nobody has this name.
        PoorPassword: the password cannot be.
    """
    person = whose(session, username)
    people.set_password_hash(session, person.id, hash_password(password, person.username))
    people.set_must_change(session, person.id, True)
    return person


def whose(session: Session, username: str) -> Person:
    """Who has this user name.

    Raises:
        NotFound: nobody.
    """
    found = people.credentials(session, username)
    if found is None:
        raise NotFound(f"there is no account {username!r}; check the name")
    return found.person
