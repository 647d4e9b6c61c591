"""The states of a courtroom, what may be asked in each, and what a person is told where it may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from archive.domain.errors import Conflict


class State(StrEnum):
    """Where a courtroom stands. A hearing that is over is `idle` with its hand-over shown."""

    IDLE = "idle"
    CHECKING = "checking"
    RECORDING = "recording"
    PAUSED = "paused"
    CLOSING = "closing"


class Wish(StrEnum):
    """What may be asked of a courtroom."""

    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    NOTE = "note"
    UNDO = "undo"
    CHECK = "check"
    DISMISS = "dismiss"  # the hand-over has been read


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not done, and what to do instead, in the languages of the console."""

    code: str
    kk: str
    ru: str
    en: str


class Refused(Conflict):
    """A wish that is not fulfilled; nothing has changed."""

    def __init__(self, why: Refusal, detail: str = "") -> None:
        super().__init__(f"{why.en} ({detail})" if detail else why.en)
        self.why = why


NOTHING_RECORDED = Refusal(
    "nothing_recorded",
    "Қазір ештеңе жазылып жатқан жоқ; алдымен жазбаны бастаңыз.",
    "Сейчас ничего не записывается; сначала начните запись.",
    "nothing is being recorded; start first",
)
ANOTHER_HEARING = Refusal(
    "another_hearing",
    "Басқа отырыс жазылып жатыр; алдымен оны аяқтаңыз.",
    "Записывается другое заседание; сначала завершите его.",
    "another hearing is being recorded; stop it first",
)
NOT_THAT_HEARING = Refusal(
    "not_that_hearing",
    "Бұл әрекет қазір жазылып жатқан отырысқа қатысты емес; жазба өзгеріссіз жалғасуда. Дұрыс отырысты таңдаңыз.",
    "Это действие не относится к записываемому заседанию; запись продолжается. Выберите нужное заседание.",
    "that is for another hearing than the one being recorded, which goes on; choose the right hearing",
)
CLOSING_NOW = Refusal(
    "closing",
    "Жазба жабылып жатыр; бірнеше секунд күтіп, қайталаңыз.",
    "Запись закрывается; подождите несколько секунд и повторите.",
    "the recording is being closed; wait a few seconds and try again",
)
CHECK_WHILE_OWED = Refusal(
    "owed",
    "Отырыс жазылуы тиіс, жазуды бастау қайталануда, сондықтан тексеру жүргізілмейді; дабылға қараңыз немесе аяқтаңыз.",
    "Заседание должно записываться, запуск повторяется, поэтому проверки нет; смотрите тревогу или завершите его.",
    "a hearing should be recorded and starting it is retried, so there is no check; see the alarm, or stop the hearing",
)
CHECK_WHILE_RECORDING = Refusal(
    "recording",
    "Жазба жүріп жатыр, сондықтан тексеру жүргізілмейді; дабылдарға қараңыз.",
    "Идёт запись, поэтому проверка не проводится; смотрите тревоги.",
    "a hearing is being recorded, so there is no check; watch the alarms instead",
)
NOT_NOTED = Refusal(
    "implied",
    "Бұл оқиға үзіліс пен жалғастыру арқылы өзі белгіленеді; сол батырмаларды басыңыз.",
    "Это событие отмечается само паузой и продолжением; нажмите эти кнопки.",
    "a pause and its end mark this event by themselves; use pause or resume",
)
NO_SUCH_NOTE = Refusal(
    "no_such_note",
    "Қазіргі жазбада мұндай белгі жоқ; тізімнен қайта таңдаңыз.",
    "В текущей записи нет такой отметки; выберите её в списке заново.",
    "the running recording has no such note; choose it from the list again",
)
BAD_WISH = Refusal(
    "bad_command",
    "Бұйрық түсініксіз; бетті жаңартып, қайталаңыз.",
    "Команда непонятна; обновите страницу и повторите.",
    "the command cannot be understood; reload the page and try again",
)
TOO_OLD = Refusal(
    "too_old",
    "Бұл бұйрық тым ескі, зал ол кезде байланыста болмаған; қажет болса, қайта беріңіз.",
    "Эта команда слишком старая, зал тогда не был на связи; при необходимости повторите её.",
    "this command is too old, the courtroom was not connected then; give it again if it is still wanted",
)

# The state that follows, or why not. What is asked for and is so already (start twice, pause twice) is no refusal.
_ALLOWED: Mapping[State, Mapping[Wish, State | Refusal]] = {
    State.IDLE: {
        Wish.START: State.RECORDING,
        Wish.STOP: State.IDLE,  # a hearing that is owed but cannot be recorded is given up
        Wish.PAUSE: NOTHING_RECORDED,
        Wish.RESUME: NOTHING_RECORDED,
        Wish.NOTE: NOTHING_RECORDED,
        Wish.UNDO: NOTHING_RECORDED,
        Wish.CHECK: State.CHECKING,
        Wish.DISMISS: State.IDLE,
    },
    State.CHECKING: {
        Wish.START: State.RECORDING,  # at once: the check is given up
        Wish.STOP: State.IDLE,  # ends the check
        Wish.PAUSE: NOTHING_RECORDED,
        Wish.RESUME: NOTHING_RECORDED,
        Wish.NOTE: NOTHING_RECORDED,
        Wish.UNDO: NOTHING_RECORDED,
        Wish.CHECK: State.CHECKING,
        Wish.DISMISS: State.CHECKING,
    },
    State.RECORDING: {
        Wish.START: State.RECORDING,  # the same hearing; another is refused by the keeper of the hearing
        Wish.STOP: State.IDLE,
        Wish.PAUSE: State.PAUSED,
        Wish.RESUME: State.RECORDING,
        Wish.NOTE: State.RECORDING,
        Wish.UNDO: State.RECORDING,
        Wish.CHECK: CHECK_WHILE_RECORDING,
        Wish.DISMISS: State.RECORDING,
    },
    State.PAUSED: {
        Wish.START: State.RECORDING,  # whoever presses start wants the record to run
        Wish.STOP: State.IDLE,
        Wish.PAUSE: State.PAUSED,
        Wish.RESUME: State.RECORDING,
        Wish.NOTE: State.PAUSED,
        Wish.UNDO: State.PAUSED,
        Wish.CHECK: CHECK_WHILE_RECORDING,
        Wish.DISMISS: State.PAUSED,
    },
    State.CLOSING: {**dict.fromkeys(Wish, CLOSING_NOW), Wish.STOP: State.CLOSING},
}


def after(state: State, wish: Wish) -> State:
    """The state that `wish` leads to from `state`.

    Raises:
        Refused: it may not be asked for now.
    """
    found = _ALLOWED[state][wish]
    if isinstance(found, Refusal):
        raise Refused(found)
    return found
