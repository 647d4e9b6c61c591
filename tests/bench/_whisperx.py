"""WhisperX for the bench of transcription, in an environment of its own (its torch is not ours).

Told model folder, compute type, threads, beam and batch as one JSON line, and then a raw file of 16-bit samples at
16 kHz a line; answers each with a JSON line of its text. Run by `tests.bench.transcribe --whisperx PYTHON`, never
imported by it. Its own voice activity model (pyannote's, which its wheel brings); no
alignment, whose models are on a hub.
"""

import contextlib
import json
import sys


def main() -> None:
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # it prints
        import numpy
        import whisperx

        told = json.loads(sys.stdin.readline())
        model = whisperx.load_model(
            told["model"],
            "cpu",
            compute_type=told["compute_type"],
            threads=told["threads"],
            language=told["language"],
            asr_options={"beam_size": told["beam"]},
        )
        for line in sys.stdin:
            sound = numpy.fromfile(line.rstrip("\n"), dtype="<i2").astype("float32") / 32768
            found = model.transcribe(sound, batch_size=told["batch"])
            print(json.dumps(" ".join(part["text"].strip() for part in found["segments"])), file=answers, flush=True)


if __name__ == "__main__":
    main()
