"""A secretary at the console, in Chromium, with a real agent and no network: from the PIN to the hand-over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from archive.verify import verify
from tests.browser import DESKTOP, PHONE, Complaint, OpenPage, Screen
from tests.console.conftest import CAMERA, MICROPHONES, PIN, Console, agent, sources, write_schedule
from tests.recorder.console import chain
from tests.waiting import wait_for

pytestmark = pytest.mark.browser

Check = Callable[[Page], list[str]]
SLOW_MS = 30_000  # a start or a check on a busy machine
SCREENS = [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone")]


@pytest.fixture(scope="module")
def console(home: Path) -> Iterator[Console]:
    """A camera and two microphones; today's list was fetched while there was a network."""
    write_schedule(home)
    with agent(home, TYNDAU_AGENT__CONSOLE_PIN=PIN, **sources()) as running:
        yield running


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The same, but one camera is not there, nor the centre."""
    home = tmp_path_factory.mktemp("troubled")
    write_schedule(home)
    addresses = sources(cam=CAMERA, hall="rtsp://127.0.0.1:9/hall", mics=MICROPHONES)
    away = {"TYNDAU_AGENT__SERVER": "http://127.0.0.1:9", "TYNDAU_STORAGE__ENDPOINT": "127.0.0.1:9"}
    with agent(home, TYNDAU_AGENT__CONSOLE_PIN=PIN, **addresses, **away) as running:
        yield running


def enter(page: Page, console: Console) -> None:
    """Through the door."""
    page.goto(console.url)
    page.locator("input[name=pin]").fill(PIN)
    page.locator("input[name=name]").fill("Серікқызы А.")
    page.keyboard.press("Enter")
    expect(sign(page)).to_be_visible(timeout=SLOW_MS)


def sign(page: Page) -> Locator:
    """The state in the header."""
    return page.locator("header [data-state]")


def expect_state(page: Page, state: str) -> None:
    expect(sign(page)).to_have_attribute("data-state", state, timeout=SLOW_MS)


def finish(page: Page) -> None:
    """Stop, as by the keyboard."""
    page.keyboard.press("Shift+F9")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect_state(page, "idle")


def shoot(page: Page, shots: Path, name: str) -> None:
    page.screenshot(path=shots / f"console-{name}.png")


def newest(console: Console) -> Path:
    return max(path for path in console.spool.glob("2*") if path.is_dir())


def noted(console: Console) -> list[dict[str, Any]]:
    return chain(newest(console), "note")


def shifts(page: Page) -> None:
    """From now on note how far the page's contents jump by themselves."""
    page.evaluate(
        """() => { window.jumped = 0; new PerformanceObserver(list => {
             for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.jumped += entry.value;
           }).observe({type: 'layout-shift'}); }"""
    )


def test_a_hearing_from_the_pin_to_the_hand_over(
    console: Console, open_page: OpenPage, shots: Path, complaints: list[Complaint], accessibility: Check
) -> None:
    page = open_page(DESKTOP, "kk")
    page.goto(console.url)
    expect(page.get_by_role("heading", name="Сот залының пульті")).to_be_visible()
    breaches = accessibility(page)
    enter(page, console)
    expect(page.get_by_role("radio", checked=True)).to_have_count(1)
    page.get_by_role("radio", name="2-1847/27").check()

    page.get_by_role("button", name="Тексеру").click()
    expect_state(page, "checking")
    shoot(page, shots, "checking-kk")
    done = page.get_by_role("status").filter(has_text=re.compile("Жазуға бәрі дайын|Дайын емесі бар"))
    expect(done).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("li[data-state=waiting]")).to_have_count(0)
    expect(page.locator("li[data-state=ok]").filter(has_text="cam")).to_have_count(1)
    breaches += accessibility(page)
    shoot(page, shots, "idle-kk")

    page.get_by_role("button", name="Жазбаны бастау").click()
    expect_state(page, "recording")
    expect(page.get_by_role("heading", name="2-1847/27")).to_be_visible()
    expect(page.get_by_role("img", name="Қазіргі бейне: cam камерасы")).to_be_visible(timeout=SLOW_MS)
    shifts(page)
    meter = page.get_by_role("meter", name="Судья")
    heard = {meter.get_attribute("aria-valuenow")}
    wait_for(lambda: heard.add(meter.get_attribute("aria-valuenow")) or len(heard) > 1, 20, "a meter that moves")

    page.keyboard.press("F1")
    log = page.get_by_role("log")
    expect(log).to_contain_text("от отырысы ашылды")  # its first letter is made great by style
    page.keyboard.press("F7")
    expect(log.get_by_role("listitem")).to_have_count(2)
    page.keyboard.press("Control+z")
    expect(log.locator("s")).to_have_text("жауап алу")
    assert page.evaluate("window.jumped") < 0.1
    page.keyboard.press("Shift+F7")
    page.keyboard.type("Куә келген жоқ")
    page.keyboard.press("Enter")
    expect(log).to_contain_text("Куә келген жоқ")
    page.get_by_role("combobox").select_option("reply")
    expect(log.get_by_role("listitem")).to_have_count(4)
    breaches += accessibility(page)
    shoot(page, shots, "recording-kk")

    page.get_by_role("button", name="Жабық бөлікті бастау").click()
    expect(page.locator("header.closed").get_by_text("Жабық бөлік")).to_be_visible()
    shoot(page, shots, "closed-part-kk")
    page.keyboard.press("Shift+F6")
    expect(page.locator("header.closed")).to_have_count(0)

    page.get_by_role("button", name="Кеңесу бөлмесі").click()
    expect_state(page, "paused")
    expect(page.get_by_test_id("paused")).to_contain_text("Сот кеңесу бөлмесінде")
    breaches += accessibility(page)
    shoot(page, shots, "paused-kk")
    page.get_by_role("button", name="Жалғастыру").click()
    expect_state(page, "recording")

    stop = page.get_by_role("button", name=re.compile("Аяқтау"))
    stop.hover()
    page.mouse.down()
    expect(page.get_by_test_id("handover")).to_be_visible(timeout=SLOW_MS)
    page.mouse.up()
    expect(page.get_by_test_id("handover")).to_contain_text("2-1847/27")
    breaches += accessibility(page)
    shoot(page, shots, "handover-kk")
    page.get_by_role("button", name="Келесі отырысқа").click()
    expect(page.get_by_role("heading", name="Бүгінгі отырыстар")).to_be_visible()

    folder = newest(console)
    codes = [(note["code"], note["by"]) for note in noted(console)]
    who = "Серікқызы А."
    expected = ["opened", "testimony", "undo", "note", "reply", "closed_mode", "open_mode"]
    assert [code for code, by in codes if by == who and code != "late_start"] == expected
    assert [line["reason"] for line in chain(folder, "pause")] == ["deliberation"]
    assert verify(folder).ok
    assert breaches == []
    assert complaints == []


def test_the_keyboard_alone_is_enough(console: Console, open_page: OpenPage, complaints: list[Complaint]) -> None:
    """In Russian, a hearing that is in no list, without touching a mouse; the focus is always to be seen."""
    page = open_page(DESKTOP, "ru")
    page.goto(console.url)
    expect(page.locator("input[name=pin]")).to_be_focused()
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    expect_state(page, "idle")
    last = page.get_by_role("radio").last
    for _ in range(30):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        if page.evaluate("document.activeElement.type === 'radio'"):
            break
    while not last.is_checked():
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Номер дела")).to_be_focused()
    page.keyboard.type("7-1/27")
    page.keyboard.press("Shift+F1")
    expect_state(page, "recording")
    expect(page.get_by_role("heading", name="7-1/27")).to_be_visible()
    page.keyboard.press("F2")
    expect(page.get_by_role("log")).to_contain_text("АВФ")
    page.keyboard.press("Shift+F4")
    expect_state(page, "paused")
    page.keyboard.press("Shift+F1")
    expect_state(page, "recording")
    page.keyboard.press("Shift+F2")
    expect_state(page, "paused")
    finish(page)
    expect(page.get_by_test_id("handover")).to_contain_text("7-1/27")
    start = chain(newest(console), "start")[0]
    assert start["adhoc"] == {"case_number": "7-1/27", "title": ""}
    assert [line["reason"] for line in chain(newest(console), "pause")] == ["other", "recess"]
    assert complaints == []


def test_an_alarm_cannot_be_overlooked(
    troubled: Console, open_page: OpenPage, shots: Path, accessibility: Check, complaints: list[Complaint]
) -> None:
    page = open_page(DESKTOP, "ru")
    enter(page, troubled)
    expect(page.get_by_text("Связи с центром нет. Записывать можно")).to_be_visible()
    page.keyboard.press("Shift+F1")
    alarm = page.get_by_role("alert").filter(has_text="REC-001")
    expect(alarm).to_contain_text("Проверьте кабель и питание", timeout=SLOW_MS)
    expect(page.get_by_text("Камера не работает")).to_be_visible(timeout=SLOW_MS)
    shoot(page, shots, "alarm-ru")
    breaches = accessibility(page)
    page.get_by_role("button", name="Отключить звук").click()
    expect(page.get_by_text("Звук тревоги отключён")).to_be_visible()
    expect(alarm).to_be_visible()  # silencing hides nothing
    page.get_by_role("button", name="ҚАЗ").click()
    expect(page.get_by_role("alert").filter(has_text="REC-001")).to_contain_text("Кабель мен қуатты тексеріңіз")
    finish(page)
    shoot(page, shots, "handover-gaps-kk")
    expect(page.get_by_test_id("handover")).to_contain_text("hall")
    assert breaches == []
    assert complaints == []


def test_a_dead_agent_is_said_at_once_and_found_again(
    open_page: OpenPage, shots: Path, tmp_path: Path, accessibility: Check
) -> None:
    page = open_page(DESKTOP, "ru")
    settings = {"TYNDAU_AGENT__CONSOLE_PIN": PIN, **sources(mics=MICROPHONES)}
    with agent(tmp_path, **settings) as first:
        port = int(first.url.rpartition(":")[2])
        enter(page, first)
        first.process.kill()
        lost = page.get_by_role("alert").filter(has_text="Служба записи не отвечает")
        expect(lost).to_be_visible()
        expect_state(page, "offline")
        expect(page.get_by_role("button", name="Начать запись")).to_be_disabled()
        breaches = accessibility(page)
        shoot(page, shots, "lost-ru")
    with agent(tmp_path, port=port, **settings):
        expect(lost).to_have_count(0, timeout=SLOW_MS)
        expect_state(page, "idle")  # still signed in
    assert breaches == []


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_a_phone_shows_the_same(
    language: str, console: Console, open_page: OpenPage, shots: Path, accessibility: Check, complaints: list[Complaint]
) -> None:
    page = open_page(PHONE, language)
    enter(page, console)
    expect(page.get_by_role("meter").first).to_be_visible(timeout=SLOW_MS)
    page.screenshot(path=shots / f"console-phone-idle-{language}.png", full_page=True)
    page.keyboard.press("Shift+F1")
    expect_state(page, "recording")
    page.screenshot(path=shots / f"console-phone-recording-{language}.png")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")  # what the bar covers by half has no size that counts
    breaches = accessibility(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE.width
    finish(page)
    assert breaches == []
    assert complaints == []


@pytest.mark.parametrize("screen", SCREENS)
def test_the_door_says_what_is_wrong(
    screen: Screen, open_page: OpenPage, console: Console, shots: Path, accessibility: Check
) -> None:
    page = open_page(screen, "kk")
    page.goto(console.url)
    page.locator("input[name=pin]").fill("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="PIN код қате")).to_be_visible()
    shoot(page, shots, f"door-{screen.name}-kk")
    assert accessibility(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= screen.width
