"""Access copies in Chromium with hls.js: the player's time is the recording's time, on both sides of holes."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from archive.domain.transcript import Language, Transcript, Utterance
from archive.publish.copies import Copies, make_copies
from archive.publish.plan import make_plan
from archive.publish.subtitles import Source, make_subtitles
from tests.publish.hearing import CAM_RUNS, FPS, RECORDING, SOURCES, ZERO, Hearing
from tests.waiting import wait_for

pytestmark = pytest.mark.browser

HLS = Path(__file__).resolve().parents[2] / "api" / "web" / "node_modules" / "hls.js" / "dist" / "hls.min.js"
PAGE = b"""<!doctype html><link rel="icon" href="data:,"><video id="v" width="640"></video>
<script src="/hls.js"></script><script>
const v = document.getElementById('v'), fatal = [], times = [];
const hls = new Hls({enableWorker: false, autoStartLoad: false});  // as the player of api/web does
hls.on(Hls.Events.MANIFEST_PARSED, () => hls.startLoad(0));
hls.on(Hls.Events.ERROR, (_, e) => { if (e.fatal) fatal.push(e.details); });
hls.loadSource('/master.m3u8');
hls.attachMedia(v);
(function watch() { if (!v.seeking) times.push(v.currentTime); requestAnimationFrame(watch); })();
function number() {  // of the counter picture; null where there is none
  const c = document.createElement('canvas');
  [c.width, c.height] = [v.videoWidth, v.videoHeight];
  const x = c.getContext('2d');
  x.drawImage(v, 0, 0);
  const bright = (column, row) => x.getImageData(column, row, 1, 1).data[1] > 125;
  let n = 0;
  for (let bit = 0; bit < 24; bit++) {
    const plain = bright(bit * 16 + 8, 8);
    if (plain === bright(bit * 16 + 8, 24)) return null;
    if (plain) n += 2 ** bit;
  }
  return n;
}
let analyser;
function pitch() {  // the loudest tone at this moment, 0 in silence
  if (!analyser) {
    const context = new AudioContext();
    analyser = context.createAnalyser();
    analyser.fftSize = 4096;
    analyser.smoothingTimeConstant = 0;
    context.createMediaElementSource(v).connect(analyser);
    analyser.connect(context.destination);
  }
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  const top = bins.indexOf(Math.max(...bins));
  return bins[top] > -40 ? top * analyser.context.sampleRate / analyser.fftSize : 0;
}
</script>"""


class Files(BaseHTTPRequestHandler):
    """The page, hls.js and the files of a folder, with byte ranges."""

    protocol_version = "HTTP/1.1"

    def __init__(self, folder: Path, *args: object) -> None:
        self.folder = folder
        super().__init__(*args)  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        fixed = {"/": PAGE, "/hls.js": HLS.read_bytes()}
        body = fixed.get(self.path)
        if body is None:
            path = self.folder / self.path.lstrip("/")
            body = path.read_bytes() if path.is_file() else None
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        self.send_response(404 if body is None else 206 if asked else 200)
        body = body or b""
        if asked:
            first, last = int(asked[1]), int(asked[2])
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
            body = body[first : last + 1]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def browser(chromium: Browser) -> Browser:
    """The installed Chromium, where hls.js is there too."""
    if not HLS.is_file():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no hls.js here; run npm ci in api/web")
    return chromium


@pytest.fixture
def watch(browser: Browser) -> Iterator[Callable[[Path], Page]]:
    """`watch(folder)`: a page that has begun to play the copies in `folder`."""
    servers: list[ThreadingHTTPServer] = []
    pages: list[Page] = []

    def open_(folder: Path) -> Page:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, folder))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        page = browser.new_page()
        pages.append(page)
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        wait_for(lambda: page.evaluate("v.readyState >= 2"), 15, "the first picture or sound")
        return page

    yield open_
    for page in pages:
        assert page.evaluate("fatal") == []
        page.close()
    for server in servers:
        server.shutdown()
        server.server_close()


def seek(page: Page, at_s: float) -> None:
    """Go there and wait until it is shown."""
    page.evaluate(f"v.pause(); v.currentTime = {at_s}")
    wait_for(lambda: page.evaluate("!v.seeking && v.readyState >= 2"), 15, f"the picture at {at_s} s")


def due(at_s: float) -> int:
    """The number of the frame that the camera delivered last at `at_s` of the time line."""
    offset = max(offset for offset, _ in CAM_RUNS if offset <= at_s * 1000)
    return offset * FPS // 1000 + int((at_s * 1000 - offset) * FPS // 1000)


def test_it_lasts_as_long_as_the_recording(watch: Callable[[Path], Page], copies: Copies) -> None:
    assert watch(copies.folder).evaluate("v.duration") == pytest.approx(70.4, abs=0.03)


def test_a_moment_shows_its_frame_on_both_sides_of_the_holes(watch: Callable[[Path], Page], copies: Copies) -> None:
    page = watch(copies.folder)
    for at_s in (2.51, 8.21, 12.61, 18.21, 61.01, 69.51, 60.45, 0.41):
        seek(page, at_s)
        assert page.evaluate("v.currentTime") == pytest.approx(at_s, abs=0.001)
        assert abs(page.evaluate("number()") - due(at_s)) <= 1


def test_a_camera_in_several_files_plays_through(
    watch: Callable[[Path], Page], hearing: Hearing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archive.publish.rendition.LARGEST_FILE", 200_000)
    (tmp_path / "copies").mkdir()
    made = make_copies(hearing.plan, hearing.store, tmp_path / "copies", tmp_path / "segment")
    assert "cam/_video.3.mp4" in made.contents["files"]
    page = watch(made.folder)
    for at_s in (2.51, 7.61, 69.51, 12.61, 0.41):
        seek(page, at_s)
        assert abs(page.evaluate("number()") - due(at_s)) <= 1
    seek(page, 61.0)
    page.evaluate("times.length = 0; v.play()")
    wait_for(lambda: page.evaluate("v.currentTime > 69"), 20, "playing through all files")
    times = page.evaluate("times")
    assert max(b - a for a, b in pairwise(times)) < 1


def test_playing_goes_on_behind_the_hole_where_nobody_recorded(watch: Callable[[Path], Page], copies: Copies) -> None:
    page = watch(copies.folder)
    seek(page, 17.5)
    page.evaluate("times.length = 0; v.play()")
    wait_for(lambda: page.evaluate("v.currentTime > 61"), 20, "playing to go on behind the hole")
    assert abs(page.evaluate("number() - Math.floor((v.currentTime - 60.4) * 25) - 1510")) <= 2
    between = [at for at in page.evaluate("times") if 18.7 < at < 59.9]
    assert between == []


def test_the_sound_goes_on_while_the_camera_is_away(watch: Callable[[Path], Page], copies: Copies) -> None:
    page = watch(copies.folder)
    seek(page, 8.0)
    page.evaluate("times.length = 0; v.play()")
    wait_for(lambda: page.evaluate("v.currentTime > 9.2"), 15, "the sound to go on")
    assert page.evaluate("number()") is None
    wait_for(lambda: page.evaluate("v.currentTime > 13"), 15, "the camera to be back")
    assert page.evaluate("number()") is not None
    times = page.evaluate("times")
    assert max(b - a for a, b in pairwise(times)) < 1


def test_a_microphone_can_be_heard_alone(watch: Callable[[Path], Page], copies: Copies) -> None:
    page = watch(copies.folder)
    assert page.evaluate("hls.audioTracks.map(t => t.name)") == [a["id"] for a in copies.contents["audio"]]
    seek(page, 62)
    page.evaluate("pitch(); hls.audioTrack = 4; v.play()")
    wait_for(lambda: page.evaluate("v.currentTime > 64.3"), 20, "playing")
    heard = wait_for(lambda: page.evaluate("pitch()"), 5, "a tone of the witness")
    second = page.evaluate("Math.floor(v.currentTime - 60)")
    tones = [600 + 50 * ((n + 24) % 32) for n in (second - 1, second)]
    assert min(abs(heard - tone) for tone in tones) < 25


def test_without_a_camera_sounds_can_be_chosen_too(
    watch: Callable[[Path], Page], hearing: Hearing, tmp_path: Path
) -> None:
    plan = make_plan(RECORDING, "ef" * 32, ZERO, SOURCES[1:], [s for s in hearing.segments if s.source == "mics"])
    (tmp_path / "copies").mkdir()
    page = watch(make_copies(plan, hearing.store, tmp_path / "copies", tmp_path / "segment").folder)
    seek(page, 16.5)
    page.evaluate("pitch(); hls.audioTrack = 1; v.play()")
    wait_for(lambda: page.evaluate("v.currentTime > 62.3"), 20, "playing to go on behind the hole")
    heard = wait_for(lambda: page.evaluate("pitch()"), 5, "a tone of the judge")
    second = page.evaluate("Math.floor(v.currentTime - 60)")
    assert min(abs(heard - 600 - 50 * n) for n in (second - 1, second)) < 25


def test_subtitles_are_shown_when_their_words_are_said(
    watch: Callable[[Path], Page], copies: Copies, tmp_path: Path
) -> None:
    said = [
        Utterance(2_000, 4_000, "judge", Language.KK, "бірінші"),
        Utterance(61_500, 63_000, "judge", Language.KK, "екінші"),
    ]
    source = Source(copies.made_from, 0, "ab" * 32)
    made = make_subtitles(Transcript(70_400, tuple(said)), source, (copies.folder / "master.m3u8").read_text())
    shutil.copytree(copies.folder, tmp_path / "copies")
    for path, (body, _) in made.files.items():
        (tmp_path / "copies" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copies" / path).write_bytes(body)
    shutil.copy(tmp_path / "copies" / made.master, tmp_path / "copies" / "master.m3u8")
    page = watch(tmp_path / "copies")
    assert page.evaluate("hls.subtitleTracks.map(t => [t.lang, t.name])") == [["kk", "Қазақша"]]
    assert page.evaluate("hls.subtitleTrack") == -1
    page.evaluate("hls.subtitleTrack = 0")
    active = "[...v.textTracks].filter(t => t.mode === 'showing').flatMap(t => [...t.activeCues].map(c => c.text))"
    for at_s, word in ((2.1, "бірінші"), (3.9, "бірінші"), (61.6, "екінші"), (62.9, "екінші")):
        seek(page, at_s)
        wait_for(lambda word=word: word in "".join(page.evaluate(active)), 10, f"the subtitle at {at_s} s")
    seek(page, 64)
    wait_for(lambda: page.evaluate(active) == [], 5, "the subtitle to go")
