"""How fast a backlog reaches the archive: the real uploader, API, PostgreSQL and store, beside raw puts of the same.

    python -m tests.bench.drain [--minutes 10] [--json]

The spool holds one hearing: a camera of 2 Mbit/s and four microphones of 96 kbit/s, made of a few recorded segments
written again and again by the recorder's own chain. `drain_ratio` is seconds of hearing carried over per second:
every object stored, every line and the manifest at the archive. `of_raw_puts` compares with one client that puts the
same files, one after the other.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio_ffmpeg
from minio import Minio
from pydantic import SecretStr

from archive.signing import Signer
from archive.storage.s3 import open_store
from config.clock import SystemClock
from config.settings import Agent, Storage
from recorder.alarms import AlarmBook
from recorder.centre import Centre
from recorder.folder import Folder
from recorder.spool import Spool
from recorder.upload import Rules, Uploader
from tests.faults.spooled import CAMERA, MICROPHONES, Written
from tests.recorder.court import ROOM, Court, running_court

SEGMENT_S, SEGMENTS = 6, 2
CAMERA_KBIT_S, MICROPHONE_KBIT_S = 2000, 96
LONGEST_S = 600.0


def record(folder: Path) -> tuple[list[bytes], list[bytes]]:
    """A few segments of each source, coded at these rates (noise fills them)."""
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin"]
    pieces = ["-t", str(SEGMENT_S * SEGMENTS), "-f", "segment", "-segment_time", str(SEGMENT_S)]
    pieces += ["-segment_format", "mp4"]
    rate = f"{CAMERA_KBIT_S}k"
    picture = ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", rate, "-minrate", rate, "-maxrate", rate]
    picture += ["-bufsize", rate, "-x264-params", "nal-hrd=cbr", "-g", "50"]
    noise = "testsrc2=s=640x360:r=25,noise=alls=40:allf=t,format=yuv420p"
    subprocess.run([*ffmpeg, "-f", "lavfi", "-i", noise, *picture, *pieces, folder / "cam-%d.mp4"], check=True)
    tracks = [word for _ in MICROPHONES.channels for word in ("-map", "0:a")]
    sound = ["-c:a", "aac", "-b:a", f"{MICROPHONE_KBIT_S}k"]
    source = ["-f", "lavfi", "-i", "anoisesrc=r=48000:a=0.3"]
    subprocess.run([*ffmpeg, *source, *tracks, *sound, *pieces, folder / "mics-%d.mp4"], check=True)
    names = range(SEGMENTS)
    return [(folder / f"cam-{n}.mp4").read_bytes() for n in names], [
        (folder / f"mics-{n}.mp4").read_bytes() for n in names
    ]


def backlog(volume: Path, signer: Signer, media: tuple[list[bytes], list[bytes]], seconds: int) -> Folder:
    """A closed hearing of that length."""
    written = Written(volume, signer, (CAMERA, MICROPHONES))
    for number in range(seconds // SEGMENT_S):
        written.segment(media[0][number % SEGMENTS], SEGMENT_S, "cam")
        written.segment(media[1][number % SEGMENTS], SEGMENT_S, "mics")
    return written.close()


@contextmanager
def uploading(court: Court, volume: Path, signer: Signer) -> Iterator[Uploader]:
    """The agent's uploader over this spool."""
    env, clock = court.agent, SystemClock()
    storage = Storage(
        endpoint=env["TYNDAU_STORAGE__ENDPOINT"],
        secure=False,
        access_key=SecretStr(env["TYNDAU_STORAGE__ACCESS_KEY"]),
        secret_key=SecretStr(env["TYNDAU_STORAGE__SECRET_KEY"]),
    )
    agent = Agent(
        server=env["TYNDAU_AGENT__SERVER"], token=SecretStr(env["TYNDAU_AGENT__TOKEN"]), courtroom=ROOM, spool=volume
    )
    store, stop = open_store(storage, storage.evidence_bucket), threading.Event()
    key = volume.parent / "archive.pub"
    made = Uploader(Spool([volume]), store, Centre(agent), signer, clock, AlarmBook(clock), Rules(lock_days=1), key)
    thread = threading.Thread(target=made.run, args=(stop,))
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join()


def drained_s(court: Court, volume: Path, signer: Signer) -> float:
    """Seconds until the archive has everything."""
    began_s = time.monotonic()
    with uploading(court, volume, signer) as uploader:
        while not uploader.finished():
            if time.monotonic() - began_s > LONGEST_S:
                raise TimeoutError(f"not drained within {LONGEST_S:.0f} s; {uploader.backlog} wait")
            time.sleep(0.01)
        return time.monotonic() - began_s


def raw_s(court: Court, folder: Folder) -> float:
    """Seconds that minio-py takes to put the same segments, one after the other, with neither chain nor lock."""
    storage = court.settings.storage
    secrets = storage.access_key.get_secret_value(), storage.secret_key.get_secret_value()
    client = Minio(endpoint=storage.endpoint, access_key=secrets[0], secret_key=secrets[1], secure=False)
    files = [path for source in ("cam", "mics") for path in folder.segments(source)]
    began_s = time.monotonic()
    for path in files:
        key = f"bench/{folder.recording}/{path.parent.name}/{path.name}"
        client.fput_object(bucket_name=storage.derived_bucket, object_name=key, file_path=str(path))
    return time.monotonic() - began_s


def measure(minutes: float) -> dict[str, float]:
    """Seconds and ratios."""
    seconds = round(minutes * 60) // SEGMENT_S * SEGMENT_S
    with tempfile.TemporaryDirectory() as name:
        here, signer = Path(name), Signer.generate()
        volume = here / "spool"
        folder = backlog(volume, signer, record(here), seconds)
        size = sum(path.stat().st_size for source in ("cam", "mics") for path in folder.segments(source))
        with running_court(here / "court", here, {}) as court:
            raw = raw_s(court, folder)
            drained = drained_s(court, volume, signer)
            assert court.archived(folder.recording)
    return {
        "hearing_s": seconds,
        "megabytes": round(size / 1e6, 1),
        "kbit_s_of_hearing": round(size * 8 / seconds / 1000),
        "drained_s": round(drained, 2),
        "drain_ratio": round(seconds / drained, 1),
        "mbit_s": round(size * 8 / drained / 1e6, 1),
        "raw_puts_s": round(raw, 2),
        "of_raw_puts": round(raw / drained, 2),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure(args.minutes)
    print(json.dumps(found) if args.json else "\n".join(f"{key:45} {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
