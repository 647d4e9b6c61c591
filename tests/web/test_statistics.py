"""The statistics as administrators, archivists and auditors see them, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from archive.accounts import add_user
from archive.db.session import upgrade
from archive.domain.access import Role
from archive.embedded import embedded
from config.settings import Api, Settings
from tests.api.conftest import Running
from tests.api.world import PASSWORD
from tests.bench.statistics import fill
from tests.browser import PHONE, OpenPage
from tests.web.test_journeys import Check, sign_in

pytestmark = pytest.mark.browser

WHO = (Role.ADMIN, Role.AUDITOR, Role.JUDGE)
LAST = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Busy:
    """Two courts of five rooms that have been at work for some months."""

    base_url: str
    accounts: dict[str, tuple[str, str]]
    recording: str = ""


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    with embedded(tmp_path_factory.mktemp("busy")) as servers:
        settings = servers.settings(Settings(api=Api(second_factor_roles=(), terms_roles=())))
        upgrade(settings)
        one = Running(settings)
        with one.services.sessions.begin() as session:
            fill(session, 10, 100, LAST)
            for role in WHO:
                court = None if role is Role.AUDITOR else "court-1"
                about = {"display_name": "Айгүл Қасымова", "language": "kk", "court": court}
                add_user(session, username=role.value, password=PASSWORD, role=role, **about)
        yield Busy(one.url, {role.value: (role.value, PASSWORD) for role in WHO})
        assert one.stop()


def since(days: int) -> str:
    return f"from={(LAST - timedelta(days=days)).date()}&to={LAST.date()}"


def recorded(page: Page) -> str:
    return page.get_by_role("definition").first.inner_text()


def test_an_administrator_sees_the_own_court(
    open_page: OpenPage, busy: Busy, shots: Path, accessibility: Check
) -> None:
    page = open_page()
    sign_in(page, busy, "admin", f"/statistics?{since(90)}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Статистика")
    expect(page.locator("svg text.value").first).to_contain_text("%")
    assert accessibility(page) == []
    for width in (1366, 1024, 820, 390):
        page.set_viewport_size({"width": width, "height": 768})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"wider than {width} px"
    page.screenshot(path=shots / "statistics-admin-phone.png")
    page.set_viewport_size({"width": 1366, "height": 768})
    page.screenshot(path=shots / "statistics-desktop.png", full_page=True)
    assert "%" in recorded(page)
    page.get_by_role("button", name="Залдар бойынша").click()
    expect(page.get_by_role("rowheader").filter(has_text="5-зал")).to_be_visible()
    assert "by=room" in page.url
    with page.expect_download() as taken:
        page.get_by_role("link", name="Кесте (CSV)").click()
    rows = taken.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert len(rows) == 1 + 5 + 1, "five rooms, and all together"
    page.get_by_label("Басы").fill("2020-01-01")
    page.get_by_label("Соңы").fill("2020-01-31")
    page.get_by_role("button", name="Көрсету").click()
    expect(page.get_by_text("Бұл күндерде ештеңе жоқ")).to_be_visible()


def test_an_auditor_goes_from_all_courts_into_one_on_a_phone(
    open_page: OpenPage, busy: Busy, shots: Path, accessibility: Check
) -> None:
    page = open_page(PHONE)
    sign_in(page, busy, "auditor", f"/statistics?by=court&{since(90)}")
    page.get_by_role("button", name="РУС").click()
    page.get_by_role("link", name="Районный суд № 2").click()
    expect(page.get_by_text("Суд: court-2")).to_be_visible()
    expect(page.get_by_role("rowheader").filter(has_text="Зал 5")).to_be_visible()
    assert accessibility(page) == []
    page.screenshot(path=shots / "statistics-phone.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the phone"
    page.get_by_role("link", name="Все суды").click()
    expect(page.get_by_role("link", name="Районный суд № 1")).to_be_visible()


def test_it_is_not_for_everybody(open_page: OpenPage, busy: Busy) -> None:
    page = open_page()
    sign_in(page, busy, "judge", "/statistics")
    expect(page.locator("[data-situation=forbidden]")).to_be_visible()
    expect(page.locator("header nav").get_by_role("link", name="Статистика")).to_have_count(0)
