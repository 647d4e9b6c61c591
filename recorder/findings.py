"""What a pre-flight check can find, in the languages of the console. `{}` stands for a number, where there is one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A stable code, how it stands (ok, warn, fail), and a sentence that says what to do."""

    code: str
    state: str
    kk: str
    ru: str
    en: str

    def says(self, value: str = "") -> dict[str, str]:
        """The sentence by language."""
        return {"kk": self.kk.format(value), "ru": self.ru.format(value), "en": self.en.format(value)}


MOVING = Finding("moving", "ok", "Сурет келіп тұр.", "Изображение есть.", "The picture moves.")
STILL = Finding(
    "still",
    "warn",
    "Сурет қозғалмайды; камераның алдында қол бұлғап көріңіз.",
    "Изображение не меняется; помашите перед камерой.",
    "The picture does not move; wave before the camera.",
)
BLACK = Finding(
    "black",
    "warn",
    "Сурет қараңғы; қақпағы мен жарықты тексеріңіз.",
    "Изображение чёрное; проверьте крышку объектива и свет.",
    "The picture is black; check the lens cap and the light.",
)
NO_PICTURE = Finding(
    "no_picture",
    "fail",
    "Камерадан сурет келмейді; қуаты мен кабелін тексеріңіз.",
    "Камера не даёт изображения; проверьте питание и кабель.",
    "The camera gives no picture; check its power and cable.",
)
GIVES = Finding("gives", "ok", "Дыбыс жазылып, оқылды.", "Звук записан и прочитан.", "Sound was written and read back.")
NO_ANSWER = Finding(
    "no_answer",
    "fail",
    "Құрылғы жауап бермейді; қуаты мен кабелін тексеріңіз.",
    "Устройство не отвечает; проверьте питание и кабель.",
    "The device does not answer; check its power and cable.",
)
WRONG_NAMES = Finding(
    "wrong_names",
    "fail",
    "Микрофон атаулары арналар санына сәйкес емес, олар нөмірленіп жазылады; agent.channels баптауын түзетіңіз.",
    "Названия микрофонов не подходят к числу каналов, они пишутся под номерами; исправьте agent.channels.",
    "The names of the microphones do not fit the channels, which are recorded by number; correct agent.channels.",
)
UNREADABLE = Finding(
    "unreadable",
    "fail",
    "Жазылған үзінді оқылмайды; дискіні тексеріңіз.",
    "Записанный фрагмент не читается; проверьте диск.",
    "What was written cannot be decoded; check the disk.",
)
HEARD = Finding("heard", "ok", "Дауыс естіледі ({} дБ).", "Голос слышен ({} дБ).", "A voice is heard ({} dB).")
SILENT = Finding(
    "silent",
    "warn",
    "Микрофон қосулы, бірақ дауыс естілмейді ({} дБ); сөйлеп көріңіз.",
    "Микрофон включён, но голоса не слышно ({} дБ); скажите что-нибудь.",
    "The microphone is on but no voice is heard ({} dB); say something.",
)
DEAD = Finding(
    "dead",
    "fail",
    "Микрофоннан ешқандай сигнал жоқ; кабелін және қосулы екенін тексеріңіз.",
    "С микрофона нет никакого сигнала; проверьте кабель и включён ли он.",
    "Nothing at all comes from the microphone; check its cable and its switch.",
)
CLIPPING = Finding(
    "clipping",
    "warn",
    "Дыбыс шамадан тыс қатты ({} дБ); деңгейін төмендетіңіз.",
    "Звук перегружен ({} дБ); уменьшите уровень.",
    "The sound is driven too hard ({} dB); turn its level down.",
)
ROOM = Finding("room", "ok", "{} сағатқа орын бар.", "Места на {} ч.", "Room for {} hours.")
LITTLE_ROOM = Finding(
    "little_room",
    "warn",
    "Тек {} сағатқа орын қалды; орын босатыңыз.",
    "Места только на {} ч; освободите место.",
    "Room for only {} hours; free some space.",
)
NO_ROOM = Finding(
    "no_room",
    "fail",
    "Дискіде жазуға орын жоқ; орын босатыңыз.",
    "На диске нет места для записи; освободите место.",
    "There is no room to record; free some space.",
)
CLOCK_RIGHT = Finding(
    "clock_right", "ok", "Сағат дұрыс ({} мс).", "Часы идут верно ({} мс).", "The clock is right ({} ms)."
)
CLOCK_WRONG = Finding(
    "clock_wrong",
    "warn",
    "Сағат орталықтан {} мс-қа айырмашылықта; уақытты баптаңыз.",
    "Часы расходятся с центром на {} мс; настройте время.",
    "The clock differs from the centre's by {} ms; set the time.",
)
CLOCK_UNKNOWN = Finding(
    "clock_unknown",
    "warn",
    "Сағатты салыстыратын орталық жоқ; сағатқа өзіңіз қараңыз.",
    "Сверить часы не с чем: центр не отвечает; взгляните на часы сами.",
    "There is no centre to compare the clock with; look at it yourself.",
)
REACHED = Finding("reached", "ok", "Мұрағат байланыста.", "Архив на связи.", "The archive is reached.")
NOT_REACHED = Finding(
    "not_reached",
    "warn",
    "Мұрағат жауап бермейді; жазба осы машинада сақталады.",
    "Архив не отвечает; запись сохранится на этой машине.",
    "The archive does not answer; the recording is kept on this machine.",
)
NO_ARCHIVE = Finding(
    "no_archive",
    "ok",
    "Мұрағат бапталмаған; жазба осы машинада қалады.",
    "Архив не настроен; запись останется на этой машине.",
    "No archive is set up; the recording stays on this machine.",
)
KEY_READS = Finding("key", "ok", "Қолтаңба кілті оқылады.", "Ключ подписи читается.", "The signing key can be read.")
NO_KEY = Finding(
    "no_key",
    "fail",
    "Қолтаңба кілті оқылмайды; agent.key_file баптауын тексеріңіз.",
    "Ключ подписи не читается; проверьте agent.key_file.",
    "The signing key cannot be read; check agent.key_file.",
)
TEST_DONE = Finding(
    "tested",
    "ok",
    "Сынақ жазбасы жазылып, оқылды.",
    "Пробная запись сделана и прочитана.",
    "A test was recorded and read.",
)
TEST_FAILED = Finding(
    "test_failed",
    "fail",
    "Сынақ жазбасы шықпады; төмендегі себебін жойыңыз.",
    "Пробная запись не удалась; устраните причину.",
    "The test recording failed; mend the cause.",
)
