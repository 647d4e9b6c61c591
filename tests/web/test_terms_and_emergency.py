"""Before a record opens: the terms of viewing, and an emergency that another person confirms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from archive import accounts
from archive.db.session import upgrade
from archive.domain.access import Role
from archive.embedded import embedded
from config.settings import Api, Settings
from tests.api.conftest import Running
from tests.api.world import PASSWORD, make_court
from tests.browser import DESKTOP, PHONE, Complaint, OpenPage, Screen

pytestmark = pytest.mark.browser

Check = Callable[[Page], list[str]]
SCREENS = [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone")]


@dataclass(frozen=True, slots=True)
class Place:
    """A court with hearings of every class."""

    url: str
    recording: str  # of a closed hearing
    hearing: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Its parties accept the terms; it has two administrators."""
    with embedded(tmp_path_factory.mktemp("terms")) as servers:
        settings = servers.settings(Settings(api=Api(second_factor_roles=())))
        upgrade(settings)
        one = Running(settings)
        court = make_court(one.url, one.services)
        with one.services.sessions.begin() as session:
            for name, role in (("admin-2", Role.ADMIN), ("party-2", Role.PARTY), ("party-3", Role.PARTY)):
                accounts.add_user(
                    session,
                    username=name,
                    password=PASSWORD,
                    display_name=f"Сәуле Ахметова ({name})",
                    role=role,
                    court="saryarka" if role is Role.ADMIN else None,
                    language="kk",
                )
        held = court.one("closed")
        yield Place(one.url, held.recording, str(held.hearing))
        assert one.stop()


def enter(page: Page, place: Place, username: str, path: str = "/") -> None:
    page.goto(place.url + path)
    page.locator("input[name=username]").fill(username)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")


@pytest.mark.parametrize("screen", SCREENS)
def test_the_terms_are_read_and_accepted_once(
    screen: Screen, open_page: OpenPage, place: Place, shots: Path, accessibility: Check, complaints: list[Complaint]
) -> None:
    username = "party-2" if screen is DESKTOP else "party-3"
    page = open_page(screen)
    enter(page, place, username, "/requests")
    expect(page.get_by_role("heading", name="Танысу шарттары")).to_be_visible()
    expect(page.get_by_role("region", name="Танысу шарттары")).to_contain_text("Жабық отырыстың")
    assert accessibility(page) == []
    page.screenshot(path=shots / f"terms-{screen.name}.png", full_page=True)
    agree = page.get_by_role("button", name="Келісемін")
    agree.click()
    expect(page.get_by_role("alert").filter(has_text="Оқығаныңызды")).to_be_visible()
    page.get_by_role("checkbox").check()
    agree.click()
    expect(page.locator("header nav")).to_be_visible()
    assert page.url.endswith("/requests")  # where the person wanted to go
    page.goto(f"{place.url}/account")
    terms = page.get_by_role("region", name="Танысу шарттары")
    expect(terms).to_contain_text("қабылдадыңыз")
    terms.locator("summary").click()
    terms.scroll_into_view_if_needed()
    page.screenshot(path=shots / f"terms-account-{screen.name}.png", full_page=True)
    page.get_by_role("button", name="Шығу").click()
    enter(page, place, username)
    expect(page.locator("header nav")).to_be_visible()


@pytest.mark.parametrize("screen", SCREENS)
def test_an_emergency_takes_two(
    screen: Screen, open_page: OpenPage, place: Place, shots: Path, accessibility: Check, complaints: list[Complaint]
) -> None:
    page = open_page(screen)
    enter(page, place, "admin", f"/recordings/{place.recording}")
    expect(page.get_by_text("Сіздің рөліңіз жазбаларды ашпайды.")).to_be_visible()
    page.screenshot(path=shots / f"emergency-closed-{screen.name}.png")
    page.get_by_role("button", name="Шұғыл қарау").click()
    page.locator("textarea[name=reason]").fill("Судья ауруханада, прокуратураға бүгін жауап керек")
    assert accessibility(page) == []
    page.screenshot(path=shots / f"emergency-ask-{screen.name}.png")
    page.get_by_role("button", name="Жіберу").click()
    expect(page.get_by_text("Шешім күтуде").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Шығу").click()
    enter(page, place, "admin-2", "/requests")
    expect(page.get_by_role("heading", name="Шұғыл жағдайда жазбаны қарау")).to_be_visible()
    page.locator("textarea[name=ground]").fill("Сот төрағасымен келісілді")
    assert accessibility(page) == []
    page.screenshot(path=shots / f"emergency-confirm-{screen.name}.png", full_page=True)
    page.get_by_role("button", name="Растау").click()
    expect(page.get_by_text("Сот төрағасымен келісілді").first).to_be_visible()
    page.get_by_role("button", name="Шығу").click()
    enter(page, place, "judge", "/requests?show=all")
    expect(page.get_by_text("Сот төрағасымен келісілді").first).to_be_visible()
    page.screenshot(path=shots / f"emergency-judge-{screen.name}.png", full_page=True)
    page.get_by_role("button", name="Рұқсатты кері алу").click()
    page.locator("textarea[name=ground]").fill("Негіз жеткіліксіз")
    page.get_by_role("button", name="Рұқсатты кері алу").click()
    expect(page.get_by_text("Негіз жеткіліксіз").first).to_be_visible()
    page.get_by_role("button", name="Шығу").click()
    enter(page, place, "admin", f"/recordings/{place.recording}")
    expect(page.get_by_text("Сіздің рөліңіз жазбаларды ашпайды.")).to_be_visible()
