"""Makes the sample hearing: hearing.flac (four microphones) and truth.json (who says what when).

The text below was written for this project. It is spoken by festival with the Russian voice of
Debian's festvox-ru, shifted in pitch and pace per role by sox; every microphone hears the others
20 dB down and 6 ms late, and has its own room noise. Needs festival, festvox-ru and sox:

    python3 api/demo/sample/make.py [FOLDER]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000
CHANNELS = ("judge", "claimant", "respondent", "witness")
BLEED = 10 ** (-20 / 20)
BLEED_DELAY = RATE * 6 // 1000
NOISE_DB = {"judge": -64, "claimant": -60, "respondent": -66, "witness": -62}
STEP = 32  # samples are multiples of it: 11 bits reach below this noise and keep the file small
# Pitch in cents, tempo, gain: one recorded voice must sound like four people.
VOICES = {
    "judge": (0, 1.0, 0.9),
    "claimant": (-120, 1.0, 0.7),
    "respondent": (130, 1.0, 0.8),
    "witness": (220, 0.97, 0.6),
}

HEARING = [
    ("judge", "Судебное заседание объявляется открытым, прошу всех садиться."),
    ("judge", "Слушается дело по иску о задолженности."),
    ("judge", "Прошу секретаря доложить о явке участников процесса."),
    ("claimant", "Истец и его представитель в судебное заседание явились."),
    ("respondent", "Я здесь, документы при себе."),
    ("judge", "Слово предоставляется представителю истца."),
    ("claimant", "Отводов не имею, ваша честь."),
    ("claimant", "Ответчик не исполнил обязательства по договору поставки в установленный срок."),
    ("claimant", "Сумма задолженности составляет два миллиона пятьсот тысяч."),
    ("claimant", "Договор был подписан в январе."),
    ("judge", "Ответчик, что вы можете сказать?"),
    ("respondent", "Нет, я не согласен. Товар был доставлен в срок."),
    ("respondent", "Прошу приобщить к материалам дела копию договора и акт приёма."),
    ("judge", "Ходатайство удовлетворено, документы приобщены к материалам дела."),
    ("judge", "Свидетель предупреждается об уголовной ответственности за дачу ложных показаний."),
    ("judge", "Расскажите, что вам известно по существу дела."),
    ("witness", "Я работаю на складе. Я видел этот договор."),
    ("claimant", "Свидетель, когда был получен товар?"),
    ("witness", "Мы приняли товар в октябре."),
    ("respondent", "Вы сами принимали товар?"),
    ("witness", "Да, я сам подписал документы."),
    ("claimant", "Вопросов к свидетелю больше нет."),
    ("judge", "Объявляется перерыв на десять минут."),
    ("judge", "Суд удаляется в совещательную комнату для вынесения решения."),
    ("judge", "Решение может быть обжаловано в течение одного месяца."),
    ("judge", "Судебное заседание объявляется закрытым."),
]

Sound = NDArray[np.float64]


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    spoken, truth = place([(channel, text, speak(channel, text)) for channel, text in HEARING])
    write_flac(folder / "hearing.flac", room(spoken))
    lines = ",\n".join("  " + json.dumps(line, ensure_ascii=False) for line in truth)
    (folder / "truth.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def speak(channel: str, text: str) -> Sound:
    """One sentence in the voice of `channel`, silence at both ends cut off."""
    cents, tempo, gain = VOICES[channel]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "text").write_text(text, encoding="utf-8")
        run("text2wave", "-eval", "(voice_msu_ru_nsh_clunits)", folder / "text", "-o", folder / "plain.wav")
        trim = ("silence", "1", "0.01", "0.4%", "reverse", "silence", "1", "0.01", "0.4%", "reverse")
        shape = ("pitch", str(cents), "tempo", "-s", str(tempo), *trim)
        raw = run("sox", folder / "plain.wav", "-r", str(RATE), "-t", "s16", "-", *shape)
    sound = np.frombuffer(raw, dtype="<i2").astype(np.float64) / 32768
    return np.asarray(sound * (gain * 0.5 / np.abs(sound).max()), dtype=np.float64)


def run(*command: str | Path) -> bytes:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True).stdout


def place(sentences: list[tuple[str, str, Sound]]) -> tuple[dict[str, Sound], list[dict[str, object]]]:
    """Each microphone's own speech, and when each sentence is said: 0.7 s apart, 1.2 s when the speaker changes."""
    pieces: list[tuple[str, int, Sound]] = []
    truth: list[dict[str, object]] = []
    at, before = RATE, ""
    for channel, text, sound in sentences:
        at += int(RATE * (0.7 if channel == before else 1.2))
        pieces.append((channel, at, sound))
        end = at + len(sound)
        span = {"start_ms": at * 1000 // RATE, "end_ms": end * 1000 // RATE}
        truth.append({**span, "channel": channel, "text": text})
        at, before = end, channel
    spoken = {channel: np.zeros(at + RATE) for channel in CHANNELS}
    for channel, start, sound in pieces:
        spoken[channel][start : start + len(sound)] += sound
    return spoken, truth


def room(spoken: dict[str, Sound]) -> NDArray[np.int16]:
    """What the four microphones pick up: shape (samples, 4)."""
    random = np.random.default_rng(20261124)
    heard = []
    for channel in CHANNELS:
        others = sum((spoken[other] for other in CHANNELS if other != channel), np.zeros(len(spoken[channel])))
        late = np.concatenate([np.zeros(BLEED_DELAY), others[:-BLEED_DELAY]])
        heard.append(spoken[channel] + BLEED * late + hum(random, len(late), NOISE_DB[channel]))
    steps = np.round(np.stack(heard, axis=1) * (32768 / STEP))
    return np.asarray(np.clip(steps, -1024, 1023) * STEP, dtype=np.int16)


def hum(random: np.random.Generator, length: int, level_db: float) -> Sound:
    """Air conditioning: noise that falls off above 400 Hz, at `level_db` of full scale."""
    spectrum = np.fft.rfft(random.standard_normal(length))
    spectrum /= 1 + (np.fft.rfftfreq(length, 1 / RATE) / 400) ** 1.5
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise * (10 ** (level_db / 20) / noise.std()), dtype=np.float64)


def write_flac(path: Path, sound: NDArray[np.int16]) -> None:
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="4.0")
        stream.options = {"compression_level": "12"}
        for start in range(0, len(sound), 4096):
            part = np.ascontiguousarray(sound[start : start + 4096]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="4.0")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
