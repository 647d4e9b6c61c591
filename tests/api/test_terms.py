"""The terms of viewing: nothing opens before they are accepted, once for each wording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update

from api import terms
from archive import accounts
from archive.db import tables as t
from archive.domain.access import Role
from archive.domain.errors import Misconfigured
from config.settings import Api, Settings
from tests.api.conftest import Running
from tests.api.test_second_factor import Browser
from tests.api.world import PASSWORD, Court

WORDS = {"kk": "Шарттар.", "ru": "Условия.", "en": "Terms."}


@pytest.fixture
def wording(tmp_path: Path) -> Path:
    """A folder with a court's own words."""
    for language, text in WORDS.items():
        (tmp_path / f"{language}.txt").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def asking(installation: Settings, court: Court, wording: Path) -> Iterator[Running]:
    """An application whose parties accept the court's own terms."""
    one = Running(installation.model_copy(update={"api": Api(second_factor_roles=(), terms_dir=wording)}))
    yield one
    with one.services.sessions.begin() as session:
        session.execute(update(t.User).values(terms=None, terms_utc=None))
    assert one.stop()


@pytest.fixture
def come(asking: Running) -> Iterator[Callable[[str], Browser]]:
    """`come(username)`: somebody who has just signed in."""
    opened: list[Browser] = []

    def enter(username: str) -> Browser:
        opened.append(Browser(asking.url))
        opened[-1].sign_in(username)
        return opened[-1]

    yield enter
    for one in opened:
        one.http.close()


def test_nothing_opens_before_the_terms_are_accepted(
    asking: Running, court: Court, come: Callable[[str], Browser]
) -> None:
    browser, recording = come("party"), court.one().recording
    piece = f"/recordings/{recording}/media/v1/mix.mp4"
    assert browser.me["step"] == "terms"
    for path in (
        piece,
        f"/recordings/{recording}",
        "/hearings",
        "/search?q=сот",
        f"/recordings/{recording}/transcript",
    ):
        assert browser.ask("GET", path, 401)["code"] == "AUTH-005", path
    shown = browser.ask("GET", "/session/terms")
    assert shown | WORDS == shown
    assert shown["accepted_utc"] is None
    before = browser.http.cookies["tyndau"]
    browser.ask("PUT", "/session/terms", version=shown["version"])
    assert browser.me["step"] is None
    assert browser.http.cookies["tyndau"] != before
    assert browser.http.get(piece).status_code == 200
    assert browser.ask("GET", "/session/terms")["accepted_utc"]
    assert come("party").me["step"] is None, "once is enough"
    with asking.services.sessions() as session:
        mine = t.Audit.user_id == UUID(browser.me["id"]), t.Audit.action == "session.terms"
        assert session.scalars(select(t.Audit.data).where(*mine)).all() == [{"version": shown["version"]}]


def test_other_words_are_accepted_anew_also_by_whoever_is_playing(
    asking: Running, court: Court, come: Callable[[str], Browser]
) -> None:
    browser, piece = come("party"), f"/recordings/{court.one().recording}/media/v1/mix.mp4"
    browser.ask("PUT", "/session/terms", version=asking.services.terms.version)
    for _ in range(3):  # from the second on by the short way
        assert browser.http.get(piece).status_code == 200
    with asking.services.sessions.begin() as session:
        session.execute(update(t.User).where(t.User.id == UUID(browser.me["id"])).values(terms="of last year"))
    assert browser.ask("GET", piece, 401)["code"] == "AUTH-005"
    assert browser.ask("GET", "/session")["step"] == "terms"
    assert browser.ask("PUT", "/session/terms", 409, version="of last year")["code"] == "REQ-006"
    assert browser.me["step"] == "terms"


def test_whoever_has_another_step_left_does_that_first(asking: Running, come: Callable[[str], Browser]) -> None:
    with asking.services.sessions.begin() as session:
        accounts.add_user(
            session,
            username="new-to-terms",
            password=PASSWORD,
            display_name="New",
            role=Role.PARTY,
            court=None,
            must_change=True,
        )
    browser = come("new-to-terms")
    assert browser.me["step"] == "password"
    browser.ask("PUT", "/session/terms", 409, version=asking.services.terms.version)
    browser.ask("PUT", "/session/password", current=PASSWORD, new="another long password")
    assert browser.me["step"] == "terms"


def test_staff_come_in_without(come: Callable[[str], Browser]) -> None:
    assert come("judge").me["step"] is None


@pytest.mark.parametrize("spoilt", [None, b"", b"\xff\xfe", b"x" * (terms.MAX_BYTES + 1)])
def test_terms_that_cannot_be_shown_stop_the_start(wording: Path, spoilt: bytes | None) -> None:
    path = wording / "ru.txt"
    path.unlink() if spoilt is None else path.write_bytes(spoilt)
    with pytest.raises(Misconfigured, match=r"ru\.txt"):
        terms.load(wording)


def test_ours_are_there_in_three_languages_and_say_the_same_points() -> None:
    ours = terms.load(None)
    points = {
        language: [line[:2] for line in text.splitlines() if line[:1].isdigit()]
        for language, text in ours.texts.items()
    }
    assert points["kk"] == points["ru"] == points["en"]
    assert len(points["kk"]) > 1
