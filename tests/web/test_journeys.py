"""What people come for, from sign-in to a search hit, in a real browser against the real application.

`demo_court` is a running application with a recorded, transcribed and published hearing:
`base_url`, `accounts` (role → user name and password) and `recording` (its id).
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlparse
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from playwright.sync_api import Page, Route, expect

from tests.browser import DESKTOP, PHONE, Complaint, OpenPage, Screen
from tests.waiting import wait_for
from tests.web.conftest import AtProvider, Sitting, Strict

pytestmark = pytest.mark.browser

Check = Callable[[Page], list[str]]
SCREENS = [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone")]
PRE_ROLL_MS = 200


class Court(Protocol):
    """What the fixture `demo_court` gives."""

    base_url: str
    accounts: dict[str, tuple[str, str]]
    recording: str


def sign_in(page: Page, court: Court, role: str = "judge", path: str = "/") -> None:
    """Open `path` and sign in at the page that it leads to."""
    username, password = court.accounts[role]
    page.goto(court.base_url + path)
    page.locator("input[name=username]").fill(username)
    page.locator("input[name=password]").fill(password)
    page.locator("input[name=password]").press("Enter")
    expect(page.locator("header nav")).to_be_visible()


def ask(page: Page, court: Court, path: str) -> Any:
    """The API's answer to the signed-in person."""
    answer = page.request.get(f"{court.base_url}/api/v1{path}")
    assert answer.ok, answer.text()
    return answer.json()


def utterances(page: Page, court: Court) -> list[dict[str, Any]]:
    """The transcript of the demo recording: at least one utterance with words."""
    said: list[dict[str, Any]] = ask(page, court, f"/recordings/{court.recording}/transcript")["utterances"]
    assert any(u["words"] for u in said), "the demo recording has no words"
    return said


def open_player(page: Page, court: Court, role: str = "judge", at_ms: int = 0) -> None:
    """Sign in straight into the player and wait until picture or sound can play."""
    query = f"?t={at_ms}" if at_ms else ""
    sign_in(page, court, role, f"/recordings/{court.recording}{query}")
    expect(page.locator("article").first).to_be_visible()
    wait_for_media(page, "m?.readyState >= 2", "picture or sound")


def media(page: Page, expression: str) -> Any:
    """A property of the one media element."""
    return page.evaluate(f"(() => {{ const m = document.querySelector('video, audio'); return {expression}; }})()")


def wait_for_media(page: Page, expression: str, what: str) -> None:
    """Until something is true of the media element. (The page's policy forbids Playwright's own waiting.)"""
    wait_for(lambda: media(page, expression), 15, what)


def position_s(page: Page) -> int:
    """Where the player says it stands, in seconds of the recording."""
    shown = page.get_by_test_id("elapsed").inner_text().split("/")[0]
    hours, minutes, seconds = (int(part) for part in shown.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def longest_word(said: list[dict[str, Any]]) -> str:
    """A word that is in the text for certain: the longest of purely Cyrillic letters."""
    words = [word["text"].strip(" .,!?—«»") for u in said for word in u["words"]]
    return max((str(w) for w in words if re.fullmatch(r"[А-Яа-яЁё]+", w)), key=len)


# --- while it runs ---------------------------------------------------------------------------


def test_watching_a_hearing_that_runs(open_page: OpenPage, sitting: Sitting, shots: Path) -> None:
    """It comes first: the recording that the others look at ends here."""
    assert sitting.running
    page, phone = open_page(), open_page(PHONE)
    sign_in(page, sitting, "judge", f"/recordings/{sitting.recording}")
    state = page.get_by_test_id("live-state")
    wait_for(state.is_visible, 30, "the live copy")
    wait_for_media(page, "m?.readyState >= 2", "picture or sound")
    page.get_by_role("button", name="Тікелейге өту").click()
    expect(state).to_contain_text("Тікелей")
    wait_for_media(page, "!m.paused && m.currentTime > 8", "the present to be played")
    expect(page.locator("article").first).to_be_visible(timeout=150_000)
    page.screenshot(path=shots / "live-desktop.png", full_page=True)
    sign_in(phone, sitting, "party", f"/recordings/{sitting.recording}")
    wait_for_media(phone, "m?.readyState >= 2", "picture or sound")
    phone.screenshot(path=shots / "live-phone.png", full_page=True)
    page.locator("article button").first.click()
    wait_for_media(page, "!m.paused && m.currentTime < 15", "what was said first")
    before_s = media(page, "m.currentTime")
    sitting.finish()
    # The final copies take the place of the live one, and playing goes on where it was.
    expect(state).to_be_hidden(timeout=30_000)
    wait_for_media(page, "!m.paused && m.readyState >= 2", "the final copy to be played")
    assert media(page, "m.currentTime") > before_s + 5
    expect(phone.get_by_role("slider", name="Отырыс уақыты")).to_be_visible(timeout=30_000)


# --- signing in ------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", SCREENS)
def test_sign_in_and_see_my_hearings(
    screen: Screen, open_page: OpenPage, demo_court: Court, shots: Path, complaints: list[Complaint]
) -> None:
    page = open_page(screen)
    page.goto(demo_court.base_url)
    expect(page.get_by_role("heading", name="Жүйеге кіру")).to_be_visible()
    page.screenshot(path=shots / f"sign-in-{screen.name}.png")
    sign_in(page, demo_court)
    page.goto(f"{demo_court.base_url}/?show=all")
    number = ask(page, demo_court, f"/recordings/{demo_court.recording}")["hearing"]["case"]["number"]
    expect(page.locator("article").filter(has_text=number).first).to_be_visible()
    page.screenshot(path=shots / f"hearings-{screen.name}.png")
    assert complaints == []


def test_a_wrong_password_is_said_in_words(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page(language="ru")
    page.goto(demo_court.base_url)
    page.locator("input[name=username]").fill(demo_court.accounts["judge"][0])
    page.locator("input[name=password]").fill("не тот пароль")
    page.get_by_role("button", name="Войти").click()
    expect(page.get_by_role("alert").filter(has_text="Неверное имя пользователя или пароль")).to_be_visible()


def test_the_language_changes_everywhere_and_is_kept(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page(language="kk")
    sign_in(page, demo_court)
    expect(page.get_by_role("heading", name="Менің отырыстарым")).to_be_visible()
    page.get_by_role("button", name="РУС").click()
    expect(page.get_by_role("heading", name="Мои заседания")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "ru"
    page.reload()
    expect(page.get_by_role("heading", name="Мои заседания")).to_be_visible()
    page.get_by_role("button", name="ENG").click()
    expect(page.get_by_role("heading", name="My hearings")).to_be_visible()


def test_an_ended_session_returns_to_the_same_place(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page(language="ru")
    open_player(page, demo_court, at_ms=4000)
    page.context.clear_cookies()
    page.goto(f"{demo_court.base_url}/recordings/{demo_court.recording}?t=4000")
    username, password = demo_court.accounts["judge"]
    page.locator("input[name=username]").fill(username)
    page.locator("input[name=password]").fill(password)
    page.get_by_role("button", name="Войти").click()
    page.wait_for_url(re.compile(rf"/recordings/{demo_court.recording}\?t=\d+"))
    expect(page.get_by_test_id("elapsed")).to_contain_text("00:00:04")


def test_a_session_that_ends_while_working_leads_to_sign_in(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page(language="ru")
    sign_in(page, demo_court)
    page.context.clear_cookies()
    page.get_by_role("link", name="Все").click()
    expect(page.get_by_text("Сеанс завершён")).to_be_visible()
    assert parse_qs(urlparse(page.url).query)["next"] == ["/?show=all"]


def test_a_lost_network_is_said_and_its_return_noticed(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page(language="ru")
    sign_in(page, demo_court)
    page.context.set_offline(True)
    page.get_by_role("link", name="Все").click()
    expect(page.get_by_text("Нет связи с сервером").first).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("Нет связи с сервером")).to_have_count(0)


# --- the player ------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", SCREENS)
def test_play(screen: Screen, open_page: OpenPage, demo_court: Court, shots: Path, complaints: list[Complaint]) -> None:
    page = open_page(screen)
    open_player(page, demo_court)
    page.get_by_role("button", name="Ойнату", exact=True).click()
    wait_for_media(page, "m.currentTime > 1", "a second to be played")
    assert media(page, "m.paused") is False
    page.get_by_role("button", name="Кідірту", exact=True).click()
    wait_for_media(page, "m.paused", "the pause")
    page.screenshot(path=shots / f"player-{screen.name}.png", full_page=True)
    assert complaints == []


def test_a_click_on_a_word_seeks_to_it_and_plays(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page()
    open_player(page, demo_court)
    said = utterances(page, demo_court)
    word = next(u for u in said if len(u["words"]) > 2)["words"][2]
    row = page.locator("article").filter(has=page.locator(f"[data-start='{word['start_ms']}']"))
    row.locator(f"span[data-start='{word['start_ms']}']").first.click()
    wait_for_media(page, "!m.paused", "playing")
    stood_s = position_s(page)
    assert stood_s >= (word["start_ms"] - PRE_ROLL_MS) // 1000
    assert stood_s <= word["end_ms"] // 1000 + 3
    # The text follows: what sounds is marked, and it is that utterance or one after it.
    expect(page.locator("article[aria-current]").first).to_be_visible()


def test_a_long_text_comes_in_pages_and_what_is_missing_is_said(
    open_page: OpenPage, demo_court: Court, shots: Path
) -> None:
    """The server's pages, made short; the network is gone at the second one."""
    page, cut = open_page(PHONE), True

    def shorten(route: Route) -> None:
        if cut and "cursor=" in route.request.url:
            route.abort()
        else:
            route.continue_(url=f"{route.request.url}{'&' if '?' in route.request.url else '?'}limit=2")

    page.route(re.compile(r"/transcript(\?|$)"), shorten)
    open_player(page, demo_court)
    panel = page.get_by_role("region", name="Стенограмма").first
    expect(panel.get_by_text("Мәтіннің қалған бөлігі жүктелмеді.")).to_be_visible()
    expect(panel.locator("article")).to_have_count(2)
    page.screenshot(path=shots / "text-cut-phone.png", full_page=True)
    cut = False
    panel.get_by_role("button", name="Қайталап көріңіз").click()
    last = utterances(page, demo_court)[-1]
    expect(panel.get_by_text("Мәтіннің қалған бөлігі")).to_have_count(0)
    panel.get_by_role("searchbox").fill(last["words"][-1]["text"].strip(" .,?!"))
    expect(
        panel.locator("article").filter(has=page.locator(f"[data-start='{last['words'][0]['start_ms']}']"))
    ).to_be_visible()


def test_the_keys_of_the_player(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page()
    open_player(page, demo_court)
    page.keyboard.press("k")
    wait_for_media(page, "!m.paused", "playing")
    page.keyboard.press("Space")
    wait_for_media(page, "m.paused", "the pause")
    before = media(page, "m.currentTime")
    page.keyboard.press("l")
    wait_for(lambda: abs(media(page, "m.currentTime") - before - 10) < 0.5, 10, "a step of 10 s")
    page.keyboard.press("ArrowLeft")
    wait_for(lambda: abs(media(page, "m.currentTime") - before - 5) < 0.5, 10, "a step of 5 s back")
    page.keyboard.press("]")
    assert media(page, "m.playbackRate") == 1.25
    page.keyboard.press("m")
    assert media(page, "m.muted") is True
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Ойнатқыш пернелері")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Мәтіннен табу")).to_be_focused()


def test_one_microphone_alone(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page()
    open_player(page, demo_court)
    sounds = ask(page, demo_court, f"/recordings/{demo_court.recording}")["media"]["audio"]
    single = next(sound for sound in sounds if sound["channel"])
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(urlparse(request.url).path))
    page.keyboard.press("1")
    button = page.get_by_role("group", name="Тыңдау").get_by_role("button").nth(1)
    expect(button).to_have_attribute("aria-pressed", "true")
    wait_for(lambda: urlparse(single["playlist"]).path in fetched, 10, "the microphone's own playlist")
    page.keyboard.press("k")
    wait_for_media(page, "m.currentTime > 0.5", "the microphone to be played")
    page.keyboard.press("0")
    expect(page.get_by_role("group", name="Тыңдау").get_by_role("button").first).to_have_attribute(
        "aria-pressed", "true"
    )


def test_the_time_line_seeks_by_click_and_by_key(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page()
    open_player(page, demo_court)
    line = page.get_by_role("slider", name="Отырыс уақыты")
    box = line.bounding_box()
    assert box is not None
    duration_s = int(line.get_attribute("aria-valuemax") or 0)
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + 40)
    wait_for(lambda: abs(position_s(page) - duration_s / 4) <= 2, 10, "the place that was clicked")
    line.focus()
    page.keyboard.press("Home")
    wait_for(lambda: position_s(page) <= 1, 10, "the beginning")


@pytest.mark.parametrize("screen", SCREENS)
def test_pointing_at_the_time_line_shows_the_picture_of_the_moment(
    screen: Screen, open_page: OpenPage, demo_court: Court, shots: Path
) -> None:
    page = open_page(screen)
    sheets: list[int] = []
    page.on("response", lambda answer: sheets.append(answer.status) if "_thumbs.1.jpg" in answer.url else None)
    open_player(page, demo_court)
    line = page.get_by_role("slider", name="Отырыс уақыты")
    line.scroll_into_view_if_needed()
    box = line.bounding_box()
    assert box is not None
    duration_s = int(line.get_attribute("aria-valuemax") or 0)
    for at_s in (duration_s - 1.5, 12.5, 1.5):
        page.mouse.move(box["x"] + box["width"] * at_s / duration_s, box["y"] + 40)
        picture = page.get_by_test_id("thumbnail")
        expect(picture).to_be_visible()
        expect(picture).to_have_css("background-position", f"{-160 * int(at_s // 10)}px 0px")
        frame = picture.bounding_box()
        assert frame is not None
        assert frame["x"] >= 0
        assert frame["x"] + frame["width"] <= screen.width
    wait_for(lambda: sheets and sheets[0] == 200, 10, "the sheet of pictures")
    page.screenshot(path=shots / f"thumbnail-{screen.width}.png")
    page.mouse.move(box["x"] - 20, box["y"] - 200)
    expect(picture).to_have_count(0)


def test_a_link_opens_at_its_moment(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page()
    open_player(page, demo_court, at_ms=7000)
    expect(page.get_by_test_id("elapsed")).to_contain_text("00:00:07")
    wait_for(lambda: media(page, "m.currentTime") > 1, 10, "the media to stand there too")


def test_the_text_yields_to_the_reader_and_returns(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page()
    open_player(page, demo_court)
    page.locator("article p span").first.click()
    text = page.get_by_role("region", name="Стенограмма").last
    text.hover()
    page.mouse.wheel(0, 400)
    back = page.get_by_role("button", name="Айтылып жатқан жерге")
    expect(back).to_be_visible()
    back.click()
    expect(back).to_have_count(0)


def test_finding_a_word_walks_through_its_places(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page(language="ru")
    open_player(page, demo_court)
    said = utterances(page, demo_court)
    letters = longest_word(said)[:3].lower().replace("ё", "е")
    places = sum(letters in u["text"].lower().replace("ё", "е") for u in said)
    page.keyboard.press("/")
    page.keyboard.type(letters)
    status = page.get_by_role("region", name="Стенограмма").first.get_by_role("status")
    expect(status).to_have_text(f"1 из {places}")
    page.keyboard.press("Enter")
    expect(status).to_have_text(f"{min(2, places)} из {places}")
    page.keyboard.press("Escape")
    expect(status).to_have_count(0)


def test_a_quote_carries_who_when_and_a_link(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page(language="ru")
    open_player(page, demo_court)
    first = utterances(page, demo_court)[0]
    row = page.locator("article").first
    row.hover()
    row.get_by_role("button", name="Цитировать").click()
    quoted = page.evaluate("navigator.clipboard.readText()")
    assert first["text"].strip() in quoted
    assert first["role_ru"] in quoted
    assert f"/recordings/{demo_court.recording}?t={first['start_ms']}" in quoted
    assert re.search(r"\d\d\.\d\d\.\d{4}, \d\d:\d\d:\d\d \(запись \d\d:\d\d:\d\d\)", quoted)


def test_a_recording_that_is_not_there_is_a_page_not_a_failure(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page(language="ru")
    sign_in(page, demo_court)
    page.goto(f"{demo_court.base_url}/recordings/20200101-000000-00000000")
    expect(page.get_by_role("heading", name="Такой страницы нет")).to_be_visible()


# --- search ----------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", SCREENS)
def test_search_opens_the_player_at_the_word(
    screen: Screen, open_page: OpenPage, demo_court: Court, shots: Path, complaints: list[Complaint]
) -> None:
    page = open_page(screen)
    sign_in(page, demo_court)
    wanted = longest_word(utterances(page, demo_court))
    page.goto(f"{demo_court.base_url}/search")
    page.get_by_role("searchbox").fill(wanted)
    page.keyboard.press("Enter")
    hit = page.locator(f"a.hit[href*='{demo_court.recording}']").first
    expect(hit.locator("mark").first).to_have_text(re.compile(re.escape(wanted[:4]), re.IGNORECASE))
    page.screenshot(path=shots / f"search-{screen.name}.png")
    target = int(parse_qs(urlparse(hit.get_attribute("href") or "").query)["t"][0])
    hit.focus()
    page.keyboard.press("Enter")
    expect(page.locator("article").first).to_be_visible()
    wait_for_media(page, "m?.readyState >= 2", "picture or sound")
    wait_for(lambda: abs(position_s(page) - target / 1000) <= 1, 10, "the player at the word")
    assert complaints == []


def test_a_search_for_nothing_says_what_to_do(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page(language="ru")
    sign_in(page, demo_court, path="/search?q=" + "ъъъщщщыыы")
    expect(page.get_by_role("heading", name="Ничего не найдено")).to_be_visible()


# --- rooms -----------------------------------------------------------------------------------


def test_the_secretary_sees_the_rooms(open_page: OpenPage, demo_court: Court, shots: Path) -> None:
    page = open_page()
    sign_in(page, demo_court, "secretary", "/rooms")
    expect(page.get_by_role("heading", name="Сот залдары")).to_be_visible()
    page.locator("main ul a").first.click()
    expect(page.get_by_role("region", name="Микрофондар")).to_be_visible()
    expect(page.get_by_role("button", name="Жазбаны бастау")).to_be_visible()
    page.screenshot(path=shots / "room-desktop.png")


def test_a_party_does_not_see_the_rooms(open_page: OpenPage, demo_court: Court) -> None:
    page = open_page(language="ru")
    sign_in(page, demo_court, "party")
    expect(page.get_by_role("link", name="Залы")).to_have_count(0)
    page.goto(f"{demo_court.base_url}/rooms")
    expect(page.locator("[data-situation=forbidden], [data-situation=missing]")).to_be_visible()


# --- for everybody ---------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_pages_are_accessible(
    screen: Screen,
    theme: str,
    open_page: OpenPage,
    demo_court: Court,
    accessibility: Check,
    shots: Path,
    complaints: list[Complaint],
) -> None:
    page = open_page(screen, "ru", theme)
    page.goto(demo_court.base_url)
    expect(page.locator("input[name=username]")).to_be_visible()
    breaches = {"sign-in": accessibility(page)}
    sign_in(page, demo_court, "secretary")
    recording = f"/recordings/{demo_court.recording}"
    for path in ("/?show=all", "/rooms", "/search?q=суд", "/requests?show=all", "/account", "/no-such-page", recording):
        page.goto(demo_court.base_url + path)
        expect(page.locator("main h1, main h2").first).to_be_visible()
        if path == recording:
            expect(page.locator("article").first).to_be_visible()
        breaches[path] = accessibility(page)
        name = re.sub(r"\W+", "-", path).strip("-") or "hearings"
        page.screenshot(path=shots / f"{name}-{screen.name}-{theme}.png", full_page=True)
    assert {path: found for path, found in breaches.items() if found} == {}, json.dumps(breaches, ensure_ascii=False)
    assert complaints == []


@pytest.mark.parametrize("path", ["/?show=all", "/search", "/rooms", "/requests", "/account", "recording"])
def test_a_phone_never_scrolls_sideways(path: str, open_page: OpenPage, demo_court: Court) -> None:
    page = open_page(PHONE, "ru")
    where = f"/recordings/{demo_court.recording}" if path == "recording" else path
    sign_in(page, demo_court, "secretary", where)
    expect(page.locator("main h1, main h2").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE.width


def test_the_first_view_is_small(open_page: OpenPage, demo_court: Court) -> None:
    """Old courtroom machines: at most 200 KB over the wire, and the player's library not among it."""
    page = open_page()
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    received: list[int] = []
    client.on("Network.loadingFinished", lambda event: received.append(int(event["encodedDataLength"])))
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(demo_court.base_url)
    expect(page.locator("input[name=username]")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert not [url for url in fetched if "hls" in url]
    assert sum(received) <= 400_000  # the test's server need not compress; nginx does, to less than half


# --- copies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", SCREENS)
def test_a_film_and_the_text_are_prepared_and_loaded(
    screen: Screen, open_page: OpenPage, sitting: Sitting, shots: Path, tmp_path: Path, complaints: list[Complaint]
) -> None:
    sitting.finish()
    page = open_page(screen)
    open_player(page, sitting)
    page.get_by_role("button", name="Көшірме алу").click()
    dialog = page.get_by_role("dialog", name="Көшірме алу")
    expect(dialog.get_by_role("button", name="Дайындау: MP4")).to_be_visible()
    kinds = {"MP4": b"ftyp", "PDF": b"%PDF", "DOCX": b"PK"}
    for kind in kinds:
        dialog.get_by_role("button", name=f"Дайындау: {kind}").click()
    rows = dialog.get_by_role("listitem")
    expect(rows).to_have_count(len(kinds))
    expect(dialog.get_by_role("link", name="Жүктеп алу", exact=True)).to_have_count(len(kinds), timeout=90_000)
    page.screenshot(path=shots / f"copies-{screen.width}.png")
    for kind, begins in kinds.items():
        with page.expect_download() as loaded:
            rows.filter(has_text=kind).get_by_role("link").click()
        loaded.value.save_as(tmp_path / kind)
        assert begins in (tmp_path / kind).read_bytes()[:12]
        assert loaded.value.suggested_filename == f"{sitting.recording}.kk.{kind.lower()}"
    part = dialog.get_by_role("link", name="Осы бөлікті жүктеп алу")
    dialog.locator("input[name=bundle-to]").fill("0:00:00")
    expect(part).to_have_count(0)
    dialog.locator("input[name=bundle-to]").fill("0:00:04")
    query = parse_qs(urlparse(part.get_attribute("href") or "").query)
    assert query == {"from_ms": ["0"], "to_ms": ["4000"]}
    rows.filter(has_text="PDF").get_by_role("button", name="Жою").click()
    expect(rows).to_have_count(len(kinds) - 1)
    assert not complaints


# --- password and second factor ------------------------------------------------------------------------


@pytest.mark.parametrize("screen", SCREENS)
def test_a_first_sign_in_goes_through_all_steps(
    screen: Screen,
    open_page: OpenPage,
    strict_court: Strict,
    shots: Path,
    accessibility: Check,
    complaints: list[Complaint],
) -> None:
    username, password = strict_court.add(f"judge-{screen.name}")
    page = open_page(screen)
    enter(page, strict_court.url, username, password, "/search?q=сот")
    expect(page.get_by_role("heading", name="Өз құпиясөзіңізді қойыңыз")).to_be_visible()
    page.screenshot(path=shots / f"first-password-{screen.name}.png")
    page.locator("input[name=new]").fill(username)
    page.locator("input[name=new]").press("Enter")
    expect(page.locator("#content").get_by_role("alert")).to_contain_text("оңай табылатыны жарамайды")
    page.locator("input[name=new]").fill("жаңа ұзын құпиясөз")
    page.locator("input[name=new]").press("Enter")
    expect(page.get_by_role("heading", name="Кірудің екінші қадамын қосыңыз")).to_be_visible()
    expect(page.get_by_role("img", name="Сканерлеуге арналған сурет")).to_be_visible()
    totp = authenticator(page.locator("code").inner_text())
    assert accessibility(page) == []
    page.screenshot(path=shots / f"enrol-{screen.name}.png", full_page=True)
    page.locator("input[name=code]").fill(now(totp))
    page.locator("input[name=code]").press("Enter")
    codes = page.get_by_role("region", name="Қосалқы кодтарды сақтаңыз").get_by_role("listitem")
    expect(codes).to_have_count(10)
    kept = codes.all_inner_texts()
    page.screenshot(path=shots / f"recovery-{screen.name}.png", full_page=True)
    page.get_by_role("button", name="Кодтар сақталды").click()
    expect(page).to_have_url(re.compile("/search"))  # where the person wanted to go
    page.get_by_role("button", name="Шығу").click()
    enter(page, strict_court.url, username, "жаңа ұзын құпиясөз")
    expect(page.get_by_role("heading", name="Растау коды")).to_be_visible()
    page.screenshot(path=shots / f"code-{screen.name}.png")
    page.locator("input[name=code]").fill("000000")
    page.locator("input[name=code]").press("Enter")
    expect(page.locator("#content").get_by_role("alert")).to_contain_text("Код қате")
    page.reload()  # the step waits
    page.get_by_role("button", name="Қосалқы кодты пайдалану").click()
    page.locator("input[name=recovery]").fill(kept[0].lower())
    page.locator("input[name=recovery]").press("Enter")
    page.get_by_role("link", name=re.compile("Тіркелгі")).click()
    expect(page.get_by_text("Қалған қосалқы код: 9")).to_be_visible()
    expect(page.get_by_text("Осы құрылғы")).to_be_visible()
    assert accessibility(page) == []
    page.screenshot(path=shots / f"account-{screen.name}.png", full_page=True)
    assert not complaints


def enter(page: Page, url: str, username: str, password: str, path: str = "/") -> None:
    page.goto(url + path)
    page.locator("input[name=username]").fill(username)
    page.locator("input[name=password]").fill(password)
    page.locator("input[name=password]").press("Enter")


def authenticator(secret: str) -> TOTP:
    return TOTP(base64.b32decode(secret.replace(" ", "")), 6, SHA1(), 30)  # noqa: S303


def now(totp: TOTP) -> str:
    return totp.generate(int(time.time())).decode()


# --- asking the court ----------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", SCREENS)
def test_a_party_asks_for_a_copy_and_the_judge_decides(
    screen: Screen,
    open_page: OpenPage,
    sitting: Sitting,
    shots: Path,
    accessibility: Check,
    complaints: list[Complaint],
) -> None:
    sitting.finish()
    reason = f"Шағым дайындау үшін, {screen.name}"
    party, judge = open_page(screen), open_page(screen)
    open_player(party, sitting, "party")
    party.get_by_role("button", name="Көшірме сұрау").click()
    dialog = party.get_by_role("dialog", name="Сотқа өтініш беру")
    dialog.locator("textarea[name=reason]").fill(reason)
    dialog.get_by_role("button", name="Жіберу").click()
    expect(dialog.get_by_role("listitem").filter(has_text=reason)).to_contain_text("Шешім күтуде")
    expect(dialog.get_by_role("button", name="Жіберу")).to_be_disabled()
    assert accessibility(party) == []
    party.screenshot(path=shots / f"ask-{screen.name}.png")
    sign_in(judge, sitting, "judge")
    judge.get_by_role("link", name=re.compile("Өтініштер")).click()
    waits = judge.get_by_role("listitem").filter(has_text=reason)
    expect(waits).to_contain_text("Жазбаның көшірмесі")
    expect(waits.get_by_role("button", name="Рұқсат беру")).to_be_disabled()
    waits.locator("textarea[name=ground]").fill("АПК 27-бап, 30.11.2026 ұйғарым")
    assert accessibility(judge) == []
    judge.screenshot(path=shots / f"requests-judge-{screen.name}.png", full_page=True)
    waits.get_by_role("button", name="Рұқсат беру").click()
    expect(waits).to_contain_text("дейін рұқсат етілген")
    party.reload()
    expect(party.get_by_role("button", name="Көшірме алу")).to_be_visible()
    party.goto(f"{sitting.base_url}/requests")
    mine = party.get_by_role("listitem").filter(has_text=reason)
    expect(mine).to_contain_text("АПК 27-бап")
    party.screenshot(path=shots / f"requests-party-{screen.name}.png", full_page=True)
    waits.get_by_role("button", name="Рұқсатты кері алу").click()
    waits.locator("textarea[name=ground]").fill("Қате берілген")
    waits.get_by_role("button", name="Рұқсатты кері алу").click()
    expect(waits).to_contain_text("рұқсат кері алынды")
    party.goto(f"{sitting.base_url}/recordings/{sitting.recording}")
    expect(party.get_by_role("button", name="Көшірме сұрау")).to_be_visible()
    assert not complaints


@pytest.mark.parametrize("screen", SCREENS)
def test_in_and_out_by_the_provider(
    screen: Screen,
    open_page: OpenPage,
    provider_court: AtProvider,
    shots: Path,
    accessibility: Check,
    complaints: list[Complaint],
) -> None:
    page = open_page(screen)
    page.goto(f"{provider_court.url}/?show=all")
    button = page.get_by_role("button", name="Сот порталы арқылы кіру")
    expect(button).to_be_visible()
    assert accessibility(page) == []
    page.screenshot(path=shots / f"provider-{screen.name}.png", full_page=True)
    button.click()
    expect(page).to_have_url(re.compile(r"localhost.*code_challenge"))  # another site, whence no Strict cookie comes
    page.locator("input[name=sub]").fill("judge")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Менің отырыстарым")).to_be_visible()
    expect(page).to_have_url(f"{provider_court.url}/?show=all")
    expect(page.locator("article").first).to_be_visible()
    page.reload()
    expect(page.locator("article").first).to_be_visible()
    page.get_by_role("link", name=re.compile("Тіркелгі")).click()
    expect(page.get_by_text("Осы құрылғы").first).to_be_visible()
    expect(page.get_by_role("heading", name="Құпиясөз")).to_have_count(0)
    page.get_by_role("button", name="Шығу").first.click()
    expect(page.get_by_text("Бұл жүйеден шықтыңыз")).to_be_visible()
    assert accessibility(page) == []
    page.screenshot(path=shots / f"provider-left-{screen.name}.png", full_page=True)
    page.get_by_role("button", name="Одан да шығу").click()
    page.get_by_role("button", name="Yes").click()
    expect(page).to_have_url(f"{provider_court.url}/sign-in")
    button.click()
    page.get_by_role("button", name="No").click()
    expect(page.get_by_role("alert").filter(has_text="Кіру аяқталмады")).to_be_visible()
    page.screenshot(path=shots / f"provider-declined-{screen.name}.png", full_page=True)
    page.get_by_role("button", name="РУС").click()
    page.get_by_role("button", name="Войти через портал судов").click()
    page.locator("input[name=sub]").fill("stranger")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert").filter(has_text="Здесь у вас нет учётной записи")).to_be_visible()
    page.go_back()  # the reply is not in the history: nothing is sent twice
    assert "code=" not in page.url or "localhost" in page.url
    assert not complaints


def test_whoever_comes_from_the_provider_sets_up_an_authenticator_without_a_password(
    open_page: OpenPage, provider_court: AtProvider, shots: Path, accessibility: Check
) -> None:
    page = open_page(PHONE, language="ru")
    page.goto(f"{provider_court.url}/search?q=сот")
    page.get_by_role("button", name="Войти через портал судов").click()
    page.locator("input[name=sub]").fill("secretary")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("img", name="Рисунок для сканирования")).to_be_visible()
    assert accessibility(page) == []
    page.screenshot(path=shots / "provider-enrol-phone.png", full_page=True)
    page.locator("input[name=code]").fill(now(authenticator(page.locator("code").inner_text())))
    page.locator("input[name=code]").press("Enter")
    page.get_by_role("button", name="Коды сохранены").click()
    expect(page).to_have_url(re.compile("/search"))  # where the person wanted to go


# --- opinions ------------------------------------------------------------------------------------------


def test_whoever_has_watched_is_asked_three_questions(
    open_page: OpenPage, demo_court: Court, shots: Path, complaints: list[Complaint], accessibility: Check
) -> None:
    page = open_page()
    username, password = demo_court.accounts["party"]
    page.goto(f"{demo_court.base_url}/recordings/{demo_court.recording}")
    page.locator("input[name=username]").fill(username)
    page.locator("input[name=password]").fill(password)
    page.locator("input[name=password]").press("Enter")
    media = "document.querySelector('video, audio')"
    wait_for(lambda: page.evaluate(f"{media}?.readyState >= 2"), 30, "picture or sound")
    question = page.get_by_role("complementary", name="Жазба қалай болды?")
    page.evaluate(f"{media}.playbackRate = 3; {media}.play()")
    wait_for(lambda: page.evaluate(f"{media}.ended || {media}.currentTime > 35"), 60, "most of it to be played")
    page.locator("header").get_by_role("link", name="Менің отырыстарым").click()
    expect(question).to_be_visible()
    page.screenshot(path=shots / "opinion-asked-desktop.png")
    question.get_by_role("button", name="Үш сұраққа жауап беру").click()
    dialog = page.get_by_role("dialog")
    for group, grade in (("Естілуі", "5"), ("Көрінуі", "4"), ("Мәтіннің дұрыстығы", "2")):
        dialog.get_by_role("group", name=group).get_by_label(grade).check(force=True)
    dialog.get_by_label("Нені жақсарту керек").fill("Мәтінде қате бар")
    for one in (DESKTOP, PHONE):
        page.set_viewport_size({"width": one.width, "height": one.height})
        page.screenshot(path=shots / f"opinion-{one.name}.png")
    assert accessibility(page) == []
    dialog.get_by_role("button", name="Жіберу").click()
    expect(question).to_be_hidden()
    answer = page.request.get(f"{demo_court.base_url}/api/v1/recordings/{demo_court.recording}/opinion")
    assert answer.json() == {"asked": False}
    assert complaints == []


# --- the state of the text ---------------------------------------------------------------------------


def test_a_text_says_whether_people_stand_for_it(open_page: OpenPage, sitting: Sitting, shots: Path) -> None:
    sitting.finish()
    text = f"/recordings/{sitting.recording}/transcript"
    pages = {"desktop": open_page(), "phone": open_page(PHONE)}
    for page in pages.values():
        open_player(page, sitting, "judge")
    secretary, judge = sitting.secretary, sitting.judge

    def look(state: str, note: str) -> None:
        for name, page in pages.items():
            page.reload()
            expect(page.locator("article").first).to_be_visible()
            expect(page.locator("header .state")).to_have_text(state)
            expect(page.locator(".caution")).to_contain_text(note)
            page.screenshot(path=shots / f"text-{state}-{name}.png")

    look("Машина мәтіні", "Машина мәтіні, хаттама емес")

    def read(path: str) -> list[dict[str, Any]]:
        return list(secretary.get(path)["utterances"])

    first, second, *_ = ({"seq": one["seq"], "since": one["since"]} for one in read(text))
    changes = [{"do": "text", "line": first, "text": "Түзетілген жол."}, {"do": "confirm", "lines": [second]}]
    secretary.post(f"{text}/changes", request=str(uuid4()), changes=changes)
    look("Түзетілген", "әлі расталмаған")
    expect(pages["desktop"].get_by_text("Түзетілген жол.")).to_be_visible()
    expect(pages["desktop"].get_by_label("Бұл жолды адам тыңдап, растаған")).to_have_count(1)
    left = [{"seq": one["seq"], "since": one["since"]} for one in read(text) if not one["confirmed"]]
    secretary.post(f"{text}/changes", request=str(uuid4()), changes=[{"do": "confirm", "lines": left}])
    newest = secretary.get(text)["revision"]
    certified = secretary.post(f"{text}/certification", request=str(uuid4()), revision=newest)
    look("Расталған", "Расталған: ")
    judge.post(
        f"{text}/signature", request=str(uuid4()), revision=certified["revision"], text_sha256=certified["text_sha256"]
    )
    look("Қол қойылған", "Қол қойылған: ")
    judge.post(f"{text}/return", request=str(uuid4()), ground="Жолда қате қалды")
    look("Түзетілген", "әлі расталмаған")


# --- sealing -----------------------------------------------------------------------------------------


def test_a_part_is_sealed_and_the_party_is_kept_from_it(open_page: OpenPage, sitting: Sitting, shots: Path) -> None:
    """It comes last: the recording that the others look at is whole."""
    sitting.finish()
    judge, party = open_page(), open_page(PHONE)
    open_player(judge, sitting)
    open_player(party, sitting, "party")
    said = utterances(judge, sitting)
    kept = next(u for u in said if u["start_ms"] > 5_000)
    assert len(utterances(party, sitting)) == len(said)
    judge.get_by_role("button", name="Бөлікті жабу").click()
    dialog = judge.get_by_role("dialog")
    dialog.locator("input[name=from]").fill(elapsed(kept["start_ms"]))
    dialog.locator("input[name=to]").fill(elapsed(kept["end_ms"] + 1_000))
    dialog.locator("input[name=ground]").fill("2026 жылғы 14 қыркүйектегі ұйғарым")
    dialog.get_by_role("button", name="Осы бөлікті жабу").click()
    expect(dialog.get_by_text("2026 жылғы 14 қыркүйектегі ұйғарым")).to_be_visible()
    judge.screenshot(path=shots / "sealing-desktop.png")
    # At once: the words are gone for the party, and what plays goes over to copies without the span.
    assert kept["id"] not in [u["id"] for u in utterances(party, sitting)]
    assert len(utterances(judge, sitting)) == len(said)
    party.reload()
    wait_for_media(party, "m?.readyState >= 2", "the live copy, or the one that was made")
    media_of = f"/recordings/{sitting.recording}"
    wait_for(lambda: ask(party, sitting, media_of)["media"], 60, "copies for the party")
    party.reload()
    wait_for_media(party, "m?.readyState >= 2", "the party's copy")
    looking = open_page()
    sign_in(looking, sitting, "party", f"{media_of}?t={kept['start_ms'] + 500}")
    expect(looking.get_by_text("Бұл бөлік құпия")).to_be_visible()
    looking.screenshot(path=shots / "sealed-desktop.png")
    party.screenshot(path=shots / "sealed-phone.png", full_page=True)
    expect(party.get_by_text(str(kept["text"]), exact=True)).to_have_count(0)
    judge.get_by_role("dialog").get_by_role("button", name="Алып тастау").click()
    dialog.locator("input[name=lift-ground]").fill("Ұйғарым күшін жойды")
    dialog.get_by_role("button", name="Алып тастау").click()
    expect(dialog.get_by_text("Ұйғарым күшін жойды")).to_be_visible()
    assert len(utterances(party, sitting)) == len(said)


def elapsed(ms: int) -> str:
    return f"{ms // 3_600_000}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}"
