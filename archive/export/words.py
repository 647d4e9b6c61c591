"""The words of exports in Kazakh, Russian and English; events and roles have theirs in archive.domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from archive.domain.events import BY_CODE
from archive.domain.speakers import Speakers
from archive.domain.terms import ROLES
from archive.domain.transcript import TranscriptState


@dataclass(frozen=True, slots=True)
class Words:
    """One language. Texts in braces take what their names say."""

    language: str
    title: str
    notice: str
    worked_on: str
    certified_title: str
    certified: str
    signed: str
    case: str
    kinds: Mapping[str, str]
    court: str
    room: str
    held: str
    recording: str
    length: str
    participants: str
    text: str
    revision: str
    made: str
    copy_for: str
    page: str
    unclear: str
    overlap: str
    concealed: str
    no_recording: str
    causes: Mapping[str, str]
    no_cause: str
    paused: str
    reasons: Mapping[str, str]
    began: str
    mixed: str
    time: str
    speaker: str
    said: str
    months: tuple[str, ...]

    def event(self, code: str, text: str) -> str:
        """An event of the hearing, with what was typed."""
        known = BY_CODE.get(code)
        name = _begun(getattr(known, self.language)) if known else code
        return f"{name}: {text}" if text else name

    def speaker_of(self, channel: str, speakers: Speakers, at_ms: int | None = None) -> str:
        """Who speaks at a microphone (then): a role, else the microphone's name."""
        return self.role(speakers.role(channel, at_ms))

    def role(self, code: str) -> str:
        """A role of participants; a code without words stands for itself."""
        term = ROLES.get(code)
        return _begun(getattr(term, self.language)) if term else code

    def gap(self, cause: str) -> str:
        """Nothing was recorded, and why."""
        return f"{self.no_recording}: {self.causes.get(cause, self.no_cause)}"

    def pause(self, reason: str) -> str:
        """The court paused the recording, and why."""
        return f"{self.paused}: {self.reasons.get(reason, self.reasons['other']).lower()}"

    def heading(self, state: TranscriptState) -> tuple[str, str]:
        """Title and notice of a text in this state."""
        if state in (TranscriptState.CERTIFIED, TranscriptState.SIGNED):
            return self.certified_title, ""
        return self.title, self.worked_on if state is TranscriptState.EDITED else self.notice

    def day(self, at: datetime) -> str:
        """A date in words."""
        month = self.months[at.month - 1]
        if self.language == "kk":
            return f"{at.year} жылғы {at.day} {month}"
        return f"{at.day} {month} {at.year}" + (" года" if self.language == "ru" else "")


def _begun(text: str) -> str:
    """As at the beginning of a sentence."""
    return text[:1].upper() + text[1:]


_KK = Words(
    language="kk",
    title="Сот отырысының машиналық мәтіні",
    notice=(
        "Мәтінді машина жасаған, ол сот отырысының хаттамасы емес. Күмәнді жерлер [?] белгісімен көрсетілген; "
        "жазбаның дыбысымен салыстырыңыз."
    ),
    worked_on=(
        "Мәтінді машина жасаған, адамдар түзеткен; ол әлі расталмаған және сот отырысының хаттамасы емес. Күмәнді "
        "жерлер [?] белгісімен көрсетілген."
    ),
    certified_title="Сот отырысының расталған мәтіні",
    certified="Хатшы растаған",
    signed="Судья қол қойған",
    case="Іс",
    kinds={"civil": "Азаматтық іс", "criminal": "Қылмыстық іс", "administrative": "Әкімшілік іс"},
    court="Сот",
    room="Сот залы",
    held="Отырыс күні",
    recording="Жазба",
    length="Ұзақтығы",
    participants="Іске қатысушылар",
    text="Мәтін",
    revision="редакция",
    made="Жасалды",
    copy_for="Көшірме иесі",
    page="бет",
    unclear="анық емес",
    overlap="қатар сөйлеу",
    concealed="Бұл бөлік жабық",
    no_recording="Жазба жоқ",
    causes={
        "source_failed": "көз ажырап қалды",
        "stalled": "көз қатып қалды",
        "diverged": "көздің сағаты ауытқыды",
        "disk_full": "дискіде орын таусылды",
        "disk_error": "диск қатесі",
        "killed": "жазу машинасы тоқтап қалды",
        "unreadable": "жазылғаны оқылмайды",
        "late_start": "көз кешірек қосылды",
    },
    no_cause="себебі көрсетілмеген",
    paused="Жазба тоқтатыла тұрды",
    reasons={"recess": "Үзіліс", "deliberation": "Кеңесу бөлмесі", "other": "Үзіліс"},
    began="Жазба басталды",
    mixed="Барлық микрофон",
    time="Уақыты",
    speaker="Сөйлеуші",
    said="Айтылғаны",
    months=(
        "қаңтар", "ақпан", "наурыз", "сәуір", "мамыр", "маусым",
        "шілде", "тамыз", "қыркүйек", "қазан", "қараша", "желтоқсан",
    ),
)  # fmt: skip
_RU = Words(
    language="ru",
    title="Машинный текст судебного заседания",
    notice=(
        "Текст составлен машиной и не является протоколом судебного заседания. Сомнительные места отмечены [?]; "
        "сверяйте со звуком записи."
    ),
    worked_on=(
        "Текст составлен машиной и исправлен людьми; он ещё не заверен и не является протоколом судебного заседания. "
        "Сомнительные места отмечены [?]."
    ),
    certified_title="Заверенный текст судебного заседания",
    certified="Заверено секретарём",
    signed="Подписано судьёй",
    case="Дело",
    kinds={"civil": "Гражданское дело", "criminal": "Уголовное дело", "administrative": "Административное дело"},
    court="Суд",
    room="Зал",
    held="Дата заседания",
    recording="Запись",
    length="Длительность",
    participants="Участники процесса",
    text="Текст",
    revision="редакция",
    made="Составлено",
    copy_for="Копия для",
    page="стр.",
    unclear="неразборчиво",
    overlap="говорят одновременно",
    concealed="Эта часть закрыта",
    no_recording="Запись отсутствует",
    causes={
        "source_failed": "источник отключился",
        "stalled": "источник завис",
        "diverged": "часы источника разошлись",
        "disk_full": "закончилось место на диске",
        "disk_error": "ошибка диска",
        "killed": "машина записи остановилась",
        "unreadable": "записанное не читается",
        "late_start": "источник включился позже",
    },
    no_cause="причина не указана",
    paused="Запись приостановлена",
    reasons={"recess": "Перерыв", "deliberation": "Совещательная комната", "other": "Перерыв"},
    began="Запись начата",
    mixed="Все микрофоны",
    time="Время",
    speaker="Говорит",
    said="Сказано",
    months=(
        "января", "февраля", "марта", "апреля", "мая", "июня",
        "июля", "августа", "сентября", "октября", "ноября", "декабря",
    ),
)  # fmt: skip
_EN = Words(
    language="en",
    title="Machine transcript of the hearing",
    notice=(
        "This text was made by a machine; it is not the protocol of the hearing. Doubtful places are marked [?]; "
        "compare with the sound of the recording."
    ),
    worked_on=(
        "This text was made by a machine and corrected by people; it is not certified yet and not the protocol of the "
        "hearing. Doubtful places are marked [?]."
    ),
    certified_title="Certified transcript of the hearing",
    certified="Certified by the secretary",
    signed="Signed by the judge",
    case="Case",
    kinds={"civil": "Civil case", "criminal": "Criminal case", "administrative": "Administrative case"},
    court="Court",
    room="Courtroom",
    held="Held on",
    recording="Recording",
    length="Length",
    participants="Participants",
    text="Text",
    revision="revision",
    made="Made",
    copy_for="Copy for",
    page="page",
    unclear="unclear",
    overlap="several speak at once",
    concealed="This part is closed",
    no_recording="Nothing was recorded",
    causes={
        "source_failed": "the source was disconnected",
        "stalled": "the source froze",
        "diverged": "the source’s clock drifted",
        "disk_full": "the disk was full",
        "disk_error": "disk error",
        "killed": "the recording machine stopped",
        "unreadable": "what was written cannot be read",
        "late_start": "the source opened late",
    },
    no_cause="no cause stated",
    paused="The recording was paused",
    reasons={"recess": "Recess", "deliberation": "Deliberation", "other": "Recess"},
    began="The recording begins",
    mixed="All microphones",
    time="Time",
    speaker="Speaker",
    said="Said",
    months=(
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
)  # fmt: skip
WORDS: Mapping[str, Words] = {words.language: words for words in (_KK, _RU, _EN)}
