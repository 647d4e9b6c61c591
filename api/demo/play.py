"""The demo's course: record the hearing in real time, wait for text and copies, verify, search."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from api.demo.client import Client
from api.demo.media import Show
from api.demo.stage import Stage
from archive.domain.errors import TyndauError, Unavailable
from archive.verify import verify
from config.clock import Clock

T = TypeVar("T")

START_PATIENCE_S = 60.0
END_PATIENCE_S = 900.0
SAMPLE_QUERY = "задолженность"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Course:
    """One run of the demo; `say` receives a line of progress at a time."""

    stage: Stage
    show: Show
    clock: Clock
    say: Say

    def record(self, secretary: Client) -> str:
        """Start, wait for the show's length, stop; the id of the recording once it is closed."""
        recording = self.begin(secretary)
        self.say(f"recording {recording}: {self.stage.url}/recordings/{recording}")
        self._sleep(self.show.duration_s)
        self.end(secretary)
        self.say("stopped; waiting for the archive, the text and the access copies")
        return recording

    def begin(self, secretary: Client) -> str:
        """Start; the id of the recording once it runs."""
        command = secretary.command(self.stage.hearing, "start")
        self._wait(lambda: self._done(secretary, command), START_PATIENCE_S, "the agent to start recording")
        return self._wait(lambda: self._recording(secretary), START_PATIENCE_S, "the recording to appear")

    def end(self, secretary: Client) -> None:
        """Stop; returns when the agent has."""
        command = secretary.command(self.stage.hearing, "stop")
        self._wait(lambda: self._done(secretary, command), START_PATIENCE_S, "the agent to stop")

    def finished(self, judge: Client, recording: str) -> dict[str, Any]:
        """The recording's details once it is verified, transcribed and published."""

        def ready() -> dict[str, Any] | None:
            found: dict[str, Any] = judge.get(f"/recordings/{recording}")
            done = (
                found["verified"]["state"] != "pending" and found["media"] and found["transcript"]["state"] == "final"
            )
            return found if done else None

        return self._wait(ready, END_PATIENCE_S, "verification, text and access copies")

    def summary(self, judge: Client, recording: str) -> dict[str, Any]:
        """The facts of one whole run, as `--json` prints them."""
        details = self.finished(judge, recording)
        text = judge.get(f"/recordings/{recording}/transcript")["utterances"]
        query = SAMPLE_QUERY if "mics" in self.show.sources and "cam" in self.show.sources else _likely_word(text)
        hits = judge.get("/search", q=query)["items"] if query else []
        return {
            "recording": recording,
            "segments": details["segments"],
            "gaps": len(details["gaps"]),
            "verified": details["verified"]["state"] == "ok" and self._bundle_holds(judge, recording),
            "utterances": len(text),
            "languages": sorted({u["language"] for u in text}),
            "search": {
                "query": query,
                "hits": [
                    {"utterance": hit["utterance"], "start_ms": hit["word_start_ms"], "text": hit["text"]}
                    for hit in hits
                    if hit["recording"] == recording
                ],
            },
            "url": f"{self.stage.url}/recordings/{recording}",
        }

    def stay(self) -> None:
        """Keep everything running until a child ends or somebody interrupts."""
        self._sleep(math.inf)

    def _bundle_holds(self, judge: Client, recording: str) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            bundle = judge.download(f"/recordings/{recording}/bundle", Path(folder) / "bundle.zip")
            return verify(bundle).ok

    def _done(self, person: Client, command: str) -> bool:
        state = person.get(f"/hearings/{self.stage.hearing}/commands/{command}")
        if state["state"] == "failed":
            raise Unavailable(f"the agent refused: {state['detail']}; see {self.stage.children.log('agent')}")
        return bool(state["state"] == "done")

    def _recording(self, person: Client) -> str | None:
        recordings = person.get(f"/hearings/{self.stage.hearing}")["recordings"]
        return recordings[-1]["id"] if recordings else None

    def _sleep(self, seconds: float) -> None:
        end = self.clock.monotonic_s() + seconds
        while (left := end - self.clock.monotonic_s()) > 0:
            self._check_children()
            self.clock.sleep(min(1.0, left))

    def _wait(self, ready: Callable[[], T | None], patience_s: float, what: str) -> T:
        end = self.clock.monotonic_s() + patience_s
        while not (value := ready()):
            self._check_children()
            if self.clock.monotonic_s() > end:
                raise Unavailable(f"waited {patience_s:.0f} s in vain for {what}; see the logs beside {self._logs()}")
            self.clock.sleep(0.3)
        return value

    def _check_children(self) -> None:
        if (ended := self.stage.children.dead()) is not None:
            name, code = ended
            raise TyndauError(f"the {name} ended by itself (code {code}); see {self.stage.children.log(name)}")

    def _logs(self) -> Path:
        return self.stage.children.log("agent")


def _likely_word(utterances: list[dict[str, Any]]) -> str:
    """A word of the text that was heard clearly, to search for."""
    words = [w for u in utterances for w in u["words"] if len(w["text"].strip(" .,!?«»—-")) > 4]
    return max(words, key=lambda w: w["probability"])["text"].strip(" .,!?«»—-") if words else ""
