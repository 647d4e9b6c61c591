"""Signing in by an electronic signature, from the text to be signed to the hearings, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from api.server import bind
from archive import accounts
from archive.db.session import upgrade
from archive.domain.access import Role
from archive.embedded import embedded
from archive.second_factor import KEY_FILE, Vault
from archive.signature.entrance import tie
from config.clock import SystemClock
from config.settings import Api, Settings
from tests.api.conftest import Running
from tests.authority import Authorities, Holder, new_iin, new_rsa
from tests.browser import Complaint, OpenPage, Screen
from tests.web.test_journeys import SCREENS, Check

pytestmark = pytest.mark.browser


@dataclass(frozen=True, slots=True)
class Certified:
    """A court whose party has a certificate and no password that she knows."""

    url: str
    holder: Holder


@pytest.fixture(scope="module")
def certified_court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    with embedded(tmp_path_factory.mktemp("certified")) as servers:
        with closing(bind("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        url, clock = f"http://localhost:{port}", SystemClock()
        authorities = Authorities(tmp_path_factory.mktemp("authority"), clock)
        settings = servers.settings(Settings(api=Api(public_url=url, terms_roles=()), signature=authorities.settings()))
        upgrade(settings)
        one = Running(settings, port=port)
        name, iin = "aigul", new_iin(1)
        with one.services.sessions.begin() as session:
            accounts.add_user(
                session,
                username=name,
                password="nobody has told her",
                display_name="Айгүл Әшірова",
                role=Role.PARTY,
                language="kk",
                must_change=True,
            )
            tie(session, Vault.load_or_create(settings.data_dir / KEY_FILE), name, iin, clock)
        yield Certified(url, authorities.below.issue(iin, new_rsa()))
        assert one.stop()


def downloaded(page: Page) -> str:
    """The text that the page gives to be signed."""
    with page.expect_download() as got:
        page.get_by_role("link", name="Мәтінді жүктеп алу").click()
    assert got.value.suggested_filename == "tyndau-sign-in.txt"
    return Path(got.value.path()).read_text(encoding="utf-8")


@pytest.mark.parametrize("screen", SCREENS)
def test_a_signature_over_the_downloaded_text_signs_in(
    screen: Screen,
    open_page: OpenPage,
    certified_court: Certified,
    shots: Path,
    accessibility: Check,
    complaints: list[Complaint],
) -> None:
    page, holder = open_page(screen), certified_court.holder
    page.goto(f"{certified_court.url}/account")
    page.get_by_role("button", name="Электрондық қолтаңбамен кіру").click()
    first = downloaded(page)
    assert certified_court.url in first
    page.get_by_text("Неге қол қойылады").click()
    assert accessibility(page) == []
    page.screenshot(path=shots / f"signature-{screen.name}.png", full_page=True)
    choose = page.locator("input[type=file]")
    choose.set_input_files({"name": "x.p7s", "mimeType": "application/pkcs7-signature", "buffer": holder.sign("x")})
    expect(page.get_by_text("Енді жаңа мәтін бар")).to_be_visible()
    expect(page.locator("#content").get_by_role("alert").first).to_contain_text("Жаңа мәтінге қол қойыңыз")
    page.screenshot(path=shots / f"signature-refused-{screen.name}.png", full_page=True)
    second = downloaded(page)
    assert second != first
    choose.set_input_files(
        {"name": "x.p7s", "mimeType": "application/pkcs7-signature", "buffer": holder.sign(second, detached=False)}
    )
    expect(page.get_by_role("heading", name="Тіркелгі", exact=True)).to_be_visible()
    expect(page.get_by_label("Қазіргі құпиясөз")).to_have_count(0)
    assert not complaints
