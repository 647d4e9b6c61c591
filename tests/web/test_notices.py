"""Notices, summonses and opinions in the pages, in a real browser against the real application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from archive.db import catalogue, tables
from archive.db.opinion_tables import Opinion
from archive.db.session import upgrade
from archive.domain.wall import iso
from archive.embedded import embedded
from config.settings import Api, Settings
from tests.api.conftest import Running
from tests.api.world import PASSWORD, Court, SignedIn, make_court, sign_in
from tests.browser import DESKTOP, PHONE, Complaint, OpenPage, Screen

pytestmark = pytest.mark.browser

Check = Callable[[Page], list[str]]
SCREENS = [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone")]


@dataclass(frozen=True, slots=True)
class House:
    """A court whose people sign in, without a mail server."""

    running: Running
    court: Court

    def enter(self, page: Page, name: str, path: str = "/", language: str = "РУС") -> None:
        page.goto(self.running.url + path)
        page.locator("input[name=username]").fill(name)
        page.locator("input[name=password]").fill(PASSWORD)
        page.locator("input[name=password]").press("Enter")
        expect(page.locator("header nav")).to_be_visible()
        page.get_by_role("button", name=language).click()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Parties have asked for everything they may ask for; the judge has granted one request and refused the others."""
    with embedded(tmp_path_factory.mktemp("house")) as servers:
        settings = servers.settings(Settings(api=Api(second_factor_roles=(), terms_roles=())))
        upgrade(settings)
        one = Running(settings)
        court = make_court(one.url, one.services)
        party, judge = sign_in(one.url, court.person("party")), sign_in(one.url, court.person("judge"))
        with closing(party.http), closing(judge.http):
            _decide(court, party, judge)
            _summon(one)
        _have_opinions(one, court)
        yield House(one, court)
        assert one.stop()


def _decide(court: Court, party: SignedIn, judge: SignedIn) -> None:
    for held, days in ((court.one(), 30), (court.one("closed"), None), (court.one("sealed"), None)):
        asked = party.post(f"/hearings/{held.hearing}/requests", {"wants": "copy", "reason": "Для жалобы"}).json()
        decision = {"days": days, "ground": "Определение от 14.09.2026"}
        assert judge.post(f"/requests/{asked['id']}/decision", decision).status_code == 200


def _summon(one: Running, **changed: object) -> None:
    """A hearing in three days comes in, or changes."""
    now = one.services.clock.utc()
    people = [
        {"name": "Ахметов Б. С.", "role": "claimant", "username": "party"},
        {"name": "Нұрлан Сәбитов", "role": "secretary", "username": "secretary"},
        {"name": "Ким А. Д.", "role": "witness"},
    ]
    told = {
        "external_id": "soon",
        "case": {
            "court": "saryarka",
            "number": "7135-26-00-2/4501",
            "kind": "civil",
            "title": "Ахметов — «Дала Трейд»",
        },
        "courtroom": "room-1",
        "scheduled_utc": iso(now + timedelta(days=3)),
        "class": "open",
        "participants": people,
        **changed,
    }
    with one.services.sessions.begin() as session:
        catalogue.import_hearings(session, {"hearings": [told]}, now)


def _have_opinions(one: Running, court: Court) -> None:
    """Of last month, by six people of which four have said something about the picture."""
    at = one.services.clock.utc().replace(day=1) - timedelta(days=3)
    with one.services.sessions.begin() as session:
        for number, user in enumerate(session.scalars(select(tables.User.id).limit(6))):
            said = {"sound": 4 + number % 2, "picture": 5 if number < 4 else None, "text": 2, "remark": None}
            if number < 2:
                said["remark"] = ("Звук хороший, текст с ошибками.", "Камера далеко от стола свидетеля.")[number]
            session.add(Opinion(recording_id=court.one(where="court").recording, user_id=user, given_utc=at, **said))


@pytest.mark.parametrize("screen", SCREENS)
def test_news_is_in_my_list_until_i_have_read_it(
    screen: Screen, open_page: OpenPage, house: House, shots: Path, complaints: list[Complaint], accessibility: Check
) -> None:
    page = open_page(screen)
    with closing(sign_in(house.running.url, house.court.person("party")).http) as party:
        items = party.get("/api/v1/notices").json()["items"]
    house.enter(page, "party")
    bell = page.locator("header").get_by_role("link", name="Уведомления")
    expect(bell).to_contain_text("4" if screen is DESKTOP else "")
    bell.click()
    expect(page.get_by_role("article")).to_have_count(len(items))
    granted = page.get_by_role("article", name="Обращение удовлетворено")
    expect(granted).to_contain_text("Копию можно получить до")
    expect(granted).to_contain_text("open-own")
    expect(granted).to_contain_text("Доставлено здесь")
    page.screenshot(path=shots / f"notices-{screen.name}.png", full_page=True)
    assert accessibility(page) == []
    if screen is DESKTOP:
        page.goto(f"{house.running.url}/notices/{items[0]['id']}")  # as a letter's link leads here
        expect(page.get_by_role("article")).to_have_count(1)
        expect(bell).to_contain_text("3")
        page.get_by_role("link", name="Все уведомления").click()
        page.get_by_role("button", name="Отметить все прочитанными").click()
        expect(page.get_by_text("Новое", exact=True)).to_have_count(0)
        expect(bell).to_have_text("")
    assert complaints == []


@pytest.mark.parametrize("screen", SCREENS)
def test_i_say_where_i_want_to_be_told(
    screen: Screen, open_page: OpenPage, house: House, shots: Path, complaints: list[Complaint], accessibility: Check
) -> None:
    page = open_page(screen)
    house.enter(page, "secretary", "/account", "ҚАЗ")
    form = page.get_by_role("region", name="Қайда хабарлау керек")
    expect(form).to_contain_text("Соттың пошта сервері бапталмаған")
    form.get_by_label("Электрондық пошта").fill("secretary@example.kz")
    form.get_by_label("SMS үшін телефон").fill("112")
    form.get_by_role("button", name="Сақтау").click()
    expect(form.get_by_role("alert")).to_contain_text("Нөмірді +7 701 234 56 78 түрінде жазыңыз")
    form.get_by_label("SMS үшін телефон").fill("8 701 234 56 78")
    form.get_by_role("button", name="Сақтау").click()
    expect(form.get_by_role("status")).to_have_text("Сақталды")
    expect(form.get_by_label("SMS үшін телефон")).to_have_value("+77012345678")
    form.screenshot(path=shots / f"contact-{screen.name}.png")
    assert accessibility(page) == []
    assert [one for one in complaints if "400" not in one.text] == []


def test_a_summons_is_acknowledged_and_the_secretary_sees_that(
    open_page: OpenPage, house: House, shots: Path, complaints: list[Complaint], accessibility: Check
) -> None:
    party, secretary = open_page(), open_page()
    house.enter(secretary, "secretary", "/?show=all", "ҚАЗ")
    card = secretary.get_by_role("article", name="7135-26-00-2/4501")
    card.get_by_role("button", name="Шақырулар").click()
    people = secretary.get_by_role("dialog").get_by_role("listitem")
    expect(people).to_have_count(2)
    claimant, witness = people.filter(has_text="Ахметов"), people.filter(has_text="Ким")
    expect(claimant).to_contain_text("Расталмаған")
    expect(claimant).to_contain_text("Мекенжайы жоқ")
    expect(witness).to_contain_text("Тіркелгісі жоқ")
    claimant.get_by_role("button", name="Қайта хабарлау").click()
    expect(claimant).to_contain_text("хабарланған саны: 2")
    secretary.screenshot(path=shots / "summonses-desktop.png")
    house.enter(party, "party", "/notices")
    called = party.get_by_role("article", name="Вызов в заседание")
    expect(called).to_have_count(2)
    party.screenshot(path=shots / "summons-desktop.png", full_page=True)
    called.first.get_by_role("button", name="Подтвердить получение").click()
    expect(called.first).to_contain_text("Вы подтвердили получение")
    expect(called.last).to_contain_text("Вы подтвердили получение")  # it is the same summons, told twice
    secretary.reload()
    card.get_by_role("button", name="Шақырулар").click()
    expect(claimant).to_contain_text("Расталды")
    secretary.set_viewport_size({"width": PHONE.width, "height": PHONE.height})
    secretary.screenshot(path=shots / "summonses-phone.png")
    assert accessibility(secretary) == []
    _summon(house.running, scheduled_utc=iso(house.running.services.clock.utc() + timedelta(days=4)))
    party.reload()
    expect(called.first).to_contain_text("Есть более новое уведомление")
    expect(party.get_by_role("article", name="Время или зал заседания изменились")).to_contain_text("Теперь:")
    party.set_viewport_size({"width": PHONE.width, "height": PHONE.height})
    party.screenshot(path=shots / "summons-phone.png", full_page=True)
    assert accessibility(party) == []
    assert complaints == []


@pytest.mark.parametrize("screen", SCREENS)
def test_the_court_reads_what_people_thought(
    screen: Screen, open_page: OpenPage, house: House, shots: Path, complaints: list[Complaint], accessibility: Check
) -> None:
    page = open_page(screen)
    house.enter(page, "admin", "/opinions")
    row = page.get_by_role("row").filter(has_text="1-зал")
    expect(row).to_contain_text("4.5")
    expect(row).to_contain_text("ответов: 6")
    expect(row).to_contain_text("меньше 5 ответов")
    expect(page.get_by_text("Камера далеко")).to_be_visible()
    page.screenshot(path=shots / f"opinions-{screen.name}.png", full_page=True)
    assert accessibility(page) == []
    assert complaints == []
