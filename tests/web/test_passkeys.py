"""A passkey from setting it up to signing in with it, in Chromium with an authenticator of its developers' protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from api.server import bind
from archive.db.session import upgrade
from archive.embedded import embedded
from config.settings import Api, Settings
from tests.api.conftest import Running
from tests.browser import Complaint, OpenPage, Screen
from tests.web.conftest import Strict
from tests.web.test_journeys import SCREENS, Check, enter

pytestmark = pytest.mark.browser

SECURITY_KEY = {
    "protocol": "ctap2",
    "transport": "usb",
    "hasResidentKey": False,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def named_court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    """An empty court whose judges need a second factor, at an address with a name: numbers have no passkeys."""
    with embedded(tmp_path_factory.mktemp("named")) as servers:
        with closing(bind("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        url = f"http://localhost:{port}"
        settings = servers.settings(Settings(api=Api(second_factor_roles=("judge",), public_url=url)))
        upgrade(settings)
        one = Running(settings, port=port)
        yield Strict(url, one.services.sessions)
        assert one.stop()


def plug_in(page: Page) -> None:
    """A security key that is touched whenever the browser asks."""
    protocol = page.context.new_cdp_session(page)
    protocol.send("WebAuthn.enable")
    protocol.send("WebAuthn.addVirtualAuthenticator", {"options": SECURITY_KEY})


@pytest.mark.parametrize("screen", SCREENS)
def test_a_passkey_is_set_up_and_signs_in(
    screen: Screen,
    open_page: OpenPage,
    named_court: Strict,
    shots: Path,
    accessibility: Check,
    complaints: list[Complaint],
) -> None:
    username, password = named_court.add(f"judge-{screen.name}")
    page = open_page(screen)
    plug_in(page)
    enter(page, named_court.url, username, password)
    page.locator("input[name=new]").fill("жаңа ұзын құпиясөз")
    page.locator("input[name=new]").press("Enter")
    page.get_by_role("button", name="Оның орнына кіру кілтін қосу").click()
    page.get_by_label("Кілттің атауы").fill("Көк кілт")
    assert accessibility(page) == []
    page.screenshot(path=shots / f"passkey-enrol-{screen.name}.png", full_page=True)
    page.get_by_role("button", name="Кілт жасау").click()
    codes = page.get_by_role("region", name="Қосалқы кодтарды сақтаңыз").get_by_role("listitem")
    expect(codes).to_have_count(10)
    page.get_by_role("button", name="Кодтар сақталды").click()
    expect(page.locator("header nav")).to_be_visible()
    page.get_by_role("button", name="Шығу").click()

    enter(page, named_court.url, username, "жаңа ұзын құпиясөз", "/account")
    expect(page.get_by_role("heading", name="Бұл сіз екеніңізді растаңыз")).to_be_visible()
    assert accessibility(page) == []
    page.screenshot(path=shots / f"passkey-sign-in-{screen.name}.png", full_page=True)
    page.get_by_role("button", name="Жалғастыру").click()
    expect(page.get_by_role("heading", name="Тіркелгі", exact=True)).to_be_visible()
    key = page.get_by_role("listitem").filter(has_text="Көк кілт")
    expect(key).to_contain_text("Соңғы әрекет")
    expect(key.get_by_role("button")).to_have_count(0)  # the last one of a judge stays
    assert accessibility(page) == []
    page.screenshot(path=shots / f"passkey-account-{screen.name}.png", full_page=True)

    page.get_by_role("button", name="Кіру кілтін қосу").click()
    card = page.get_by_role("region", name="Кірудің екінші қадамы")
    card.get_by_label("Қазіргі құпиясөз").fill("жаңа ұзын құпиясөз")
    page.screenshot(path=shots / f"passkey-add-{screen.name}.png", full_page=True)
    page.get_by_role("button", name="Кілт жасау").click()
    expect(page.locator("#content").get_by_role("alert").filter(has_text="бұрыннан тіркелген")).to_be_visible()
    assert not complaints


def test_without_the_key_a_recovery_code_signs_in_and_another_key_takes_its_place(
    open_page: OpenPage, named_court: Strict, shots: Path, complaints: list[Complaint]
) -> None:
    username, password = named_court.add("judge-who-loses")
    page = open_page(language="ru")
    plug_in(page)
    enter(page, named_court.url, username, password)
    page.locator("input[name=new]").fill("новый длинный пароль")
    page.locator("input[name=new]").press("Enter")
    page.get_by_role("button", name="Настроить вместо этого ключ доступа").click()
    page.get_by_role("button", name="Создать ключ").click()
    codes = page.get_by_role("region", name="Сохраните резервные коды").get_by_role("listitem")
    expect(codes).to_have_count(10)
    kept = codes.all_inner_texts()
    page.get_by_role("button", name="Коды сохранены").click()
    expect(page.locator("header nav")).to_be_visible()

    elsewhere = open_page(language="ru")
    plug_in(elsewhere)  # another key
    enter(elsewhere, named_court.url, username, "новый длинный пароль", "/account")
    elsewhere.get_by_role("button", name="Использовать резервный код").click()
    elsewhere.locator("input[name=recovery]").fill(kept[0])
    elsewhere.locator("input[name=recovery]").press("Enter")
    card = elsewhere.get_by_role("region", name="Второй шаг входа")
    card.get_by_role("button", name="Добавить ключ доступа").click()
    card.get_by_label("Название ключа").fill("Запасной ключ")
    card.get_by_label("Нынешний пароль").fill("новый длинный пароль")
    card.get_by_role("button", name="Использовать резервный код").click()
    elsewhere.locator("input[name=recovery]").fill(kept[1])
    card.get_by_role("button", name="Создать ключ").click()
    expect(elsewhere.get_by_text("Ключ доступа добавлен.")).to_be_visible()
    lost = card.get_by_role("listitem").filter(has_not_text="Запасной").filter(has_text="Добавлен:")
    lost.get_by_role("button", name="Удалить").click()
    card.get_by_label("Нынешний пароль").fill("новый длинный пароль")
    elsewhere.screenshot(path=shots / "passkey-remove-desktop.png", full_page=True)
    card.get_by_role("button", name="Удалить").click()  # confirmed by the new key
    expect(elsewhere.get_by_text("Удалено.")).to_be_visible()
    expect(card.get_by_role("listitem").filter(has_text="Добавлен:")).to_have_count(1)
    page.reload()
    expect(page.locator("input[name=username]")).to_be_visible()  # its session ended with the change
    assert not complaints
