"""Mail and text messages by real servers on loopback: what is taken, what is refused, what is away."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.domain.contacts import email_address, phone_number
from archive.domain.errors import BadEmail, BadPhone, CarrierAway, Misconfigured, NoticeDelayed, NoticeRefused
from archive.notices.gateway import HttpGateway
from archive.notices.port import Letter, Text
from archive.notices.smtp import Smtp
from config.clock import SystemClock
from config.settings import MailServer, SmsGateway
from tests.carriers import Gateway, MailBox, mail_server, nobody_there, silent_server, sms_gateway

TO = "aigul@example.kz"
LETTER = Letter(uuid.UUID(int=7), TO, "Айгүл Қасымова", "Көшірме дайын", "Қайырлы күн!\n.\nҮкім\n", "kk")
TEXT = Text(uuid.UUID(int=8), "+77012345678", "Көшірме дайын https://court.example/notices/1")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailBox]:
    with mail_server(tmp_path_factory.mktemp("mail")) as made:
        yield made


@pytest.fixture(autouse=True)
def emptied(box: MailBox) -> None:
    box.taken.clear()
    box.answers.clear()
    box.at_data = ""


def smtp(box: MailBox, **changed: object) -> Smtp:
    return Smtp(MailServer.model_validate({**box.settings.model_dump(), **changed}), SystemClock())


def test_a_letter_arrives_as_it_was_written(box: MailBox) -> None:
    smtp(box).send(LETTER)
    ((to, letter),) = box.taken
    assert (to, letter["To"]) == (TO, "Айгүл Қасымова <aigul@example.kz>")
    assert (letter["From"], letter["Subject"]) == ("Сот отырыстары <noreply@court.example>", "Көшірме дайын")
    assert letter["Message-ID"] == f"<{LETTER.id}@court.example>"
    assert (letter["Auto-Submitted"], letter["Content-Language"]) == ("auto-generated", "kk")
    assert letter.get_content().splitlines() == LETTER.body.splitlines()
    assert box.secure[-1]


@pytest.mark.parametrize(
    "name", ["Aigul\r\nBcc: all@example.kz", "A\nSubject: x\n\nbody", 'A" <b@c.kz>, "', "\x00\u2028", ""]
)
def test_a_name_is_no_header(box: MailBox, name: str) -> None:
    smtp(box).send(Letter(LETTER.id, TO, name, "a\r\nBcc: all@example.kz", "text", "ru"))
    ((to, letter),) = box.taken
    assert (to, [one.addr_spec for one in letter["To"].addresses]) == (TO, [TO])
    assert letter["Bcc"] is None
    assert letter["Subject"] == "a Bcc: all@example.kz"
    assert letter.get_content().strip() == "text"


@pytest.mark.parametrize(
    ("answer", "error", "kept"),
    [
        ("550 5.1.1 <aigul@example.kz>: no such user", NoticeRefused, "550 5.1.1"),
        ("552 mailbox of aigul is full", NoticeRefused, "552"),
        ("450 4.2.0 <aigul@example.kz>: greylisted", NoticeDelayed, "450 4.2.0"),
        ("554 5.7.1 <aigul@example.kz>: relay access denied", NoticeDelayed, "554 5.7.1"),
    ],
)
@pytest.mark.parametrize("at_data", [False, True])
def test_a_refusal_is_of_one_letter(
    box: MailBox, answer: str, error: type[Exception], kept: str, at_data: bool
) -> None:
    if at_data:
        box.at_data = answer
    else:
        box.answers[TO] = answer
    with pytest.raises(error) as raised:
        smtp(box).send(LETTER)
    assert raised.value.answer == kept  # type: ignore[attr-defined]
    assert "aigul" not in str(raised.value)
    assert not box.taken


def test_a_server_that_closes_or_lets_nobody_in_is_away(box: MailBox, tmp_path: Path) -> None:
    box.answers[TO] = "421 4.3.2 closing"
    wrong = tmp_path / "password"
    wrong.write_text("wrong")
    for changed in ({}, {"password_file": wrong}, {"ca_file": None}, {"user": ""}, {"port": nobody_there()}):
        with pytest.raises(CarrierAway) as raised:
            smtp(box, **changed).send(LETTER)
        assert "wrong" not in str(raised.value)
    with pytest.raises(Misconfigured):
        smtp(box, password_file=tmp_path / "missing").send(LETTER)


def test_a_server_that_hangs_is_away_in_time(box: MailBox) -> None:
    with silent_server() as port:
        begun = time.monotonic()
        with pytest.raises(CarrierAway):
            smtp(box, port=port, timeout_s=0.5).send(LETTER)
        assert time.monotonic() - begun < 5


def test_a_letter_that_was_taken_stays_so(box: MailBox, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the line ends afterwards: else it would be sent twice."""
    import smtplib

    def breaks(_self: object) -> None:
        raise smtplib.SMTPResponseException(500, b"what?")

    monkeypatch.setattr(smtplib.SMTP, "quit", breaks)
    smtp(box).send(LETTER)
    assert len(box.taken) == 1


# --- text messages -----------------------------------------------------------------------------------


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with sms_gateway() as made:
        yield made


def test_a_text_is_asked_for_once_under_its_name(gateway: Gateway, tmp_path: Path) -> None:
    for _ in range(2):
        HttpGateway(gateway.settings(tmp_path)).send(TEXT)
    assert gateway.sent == {str(TEXT.id): {"to": TEXT.to, "text": TEXT.body, "from": "SOT"}}


@pytest.mark.parametrize(
    ("status", "error"),
    [(422, NoticeRefused), (400, NoticeRefused), (429, NoticeDelayed), (500, CarrierAway), (302, CarrierAway)],
)
def test_what_a_gateway_says(gateway: Gateway, tmp_path: Path, status: int, error: type[Exception]) -> None:
    gateway.status = status
    with pytest.raises(error) as raised:
        HttpGateway(gateway.settings(tmp_path)).send(TEXT)
    assert TEXT.to not in str(raised.value)
    assert len(gateway.asked) == 1  # a redirect is not followed


def test_a_gateway_that_is_not_there_or_not_ours_is_away(gateway: Gateway, tmp_path: Path) -> None:
    right = gateway.settings(tmp_path)
    other = tmp_path / "other"
    other.write_text("wrong")
    gateway.wait_s = 1.5
    with silent_server() as port:
        for changed in ({}, {"url": f"http://127.0.0.1:{nobody_there()}/"}, {"url": f"http://127.0.0.1:{port}/"}):
            with pytest.raises(CarrierAway):
                HttpGateway(SmsGateway.model_validate({**right.model_dump(), **changed, "timeout_s": 0.4})).send(TEXT)
    gateway.wait_s = 0
    with pytest.raises(CarrierAway, match="401"):
        HttpGateway(right.model_copy(update={"token_file": other})).send(TEXT)
    with pytest.raises(Misconfigured):
        HttpGateway(right.model_copy(update={"token_file": tmp_path / "missing"})).send(TEXT)


# --- settings and addresses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"sender": ""},
        {"sender": "a@b\r\nBcc: c@d"},
        {"sender": "Court <court@example.kz>"},
        {"sender": "a..b@example.kz"},
        {"sender": "court@"},
        {"security": "none", "host": "mail.example.kz"},
        {"user": "x", "password_file": None},
    ],
)
def test_settings_that_would_send_in_the_clear_or_nowhere_refuse_to_start(box: MailBox, wrong: object) -> None:
    with pytest.raises(ValueError, match=r"notices\.mail"):
        smtp(box, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["http://sms.example.kz/", "ftp://127.0.0.1/", "sms"])
def test_text_messages_do_not_go_in_the_clear(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"notices\.sms"):
        SmsGateway(url=url, token_file=tmp_path)


def test_addresses_are_kept_in_one_form() -> None:
    assert email_address(" Aigul.K+court@mail.example.kz ") == "Aigul.K+court@mail.example.kz"
    for typed in ("+7 701 234-56-78", "8 (701) 234 56 78", "+77012345678", "8‑701‑2345678"):
        assert phone_number(typed) == "+77012345678"
    assert phone_number("+49 30 901820") == "+4930901820"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "a@b",
        "a b@c.kz",
        "a@c.kz\r\nBcc: x@y.kz",
        "a..b@c.kz",
        ".a@c.kz",
        "a@-c.kz",
        "ә@c.kz",
        "a" * 65 + "@c.kz",
        "a@" + "b" * 63 + ".k" * 130,
    ],
)
def test_what_can_be_no_e_mail_address(typed: str) -> None:
    with pytest.raises(BadEmail):
        email_address(typed)


@pytest.mark.parametrize(
    "typed", ["", "112", "87012345", "+0 701 234 56 78", "+7701234567890123", "7012345678", "+7701x345678"]
)
def test_what_can_be_no_telephone_number(typed: str) -> None:
    with pytest.raises(BadPhone):
        phone_number(typed)
