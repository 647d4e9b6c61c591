"""The worker's box: what can be reached from inside, and that work is done there."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from archive.domain.errors import Misconfigured
from archive.jobs import sandbox
from archive.jobs.sandbox import INSIDE, Sandbox, command, run_inside
from config.settings import Settings
from tests.archive.test_cli import tyndau
from tests.archive.test_jobs import environment


@pytest.fixture
def box(tmp_path: Path) -> None:
    if why := sandbox._missing(Settings(data_dir=tmp_path / "tried")):
        if os.environ.get("CI"):
            pytest.fail(f"CI must have a sandbox: {why}")
        pytest.skip(why)


def inside(settings: Settings, code: str) -> str:
    done = subprocess.run(
        command(settings, [sys.executable, "-c", code]), capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Some of it lies where homes and other programs' files are hidden."""
    named = tmp_path / "court.docx"
    named.write_text("named")
    (tmp_path / "other").write_text("not named")
    exports = Settings().exports.model_copy(update={"docx_template": named})
    return Settings(data_dir=tmp_path / "data", exports=exports)


@pytest.mark.usefixtures("box")
def test_what_the_worker_needs_is_there_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    code = f"""
import os
print(open({str(tmp_path / "court.docx")!r}).read(), os.path.exists({str(tmp_path / "other")!r}))
def writes(folder):
    try:
        open(os.path.join(folder, "x"), "w").close()
    except OSError as error:
        return type(error).__name__
    return "writes"
print(writes({str(settings.data_dir)!r}), writes("/tmp"), writes("/usr"), writes({str(Path.cwd())!r}), writes("/etc"))
print(open("/proc/self/status").read().split("CapEff:")[1].split()[0].strip("0") or "none")
"""
    read, written, capabilities = inside(settings, code).splitlines()
    assert read == "named False"
    assert written == "writes writes OSError OSError OSError"
    assert capabilities == "none"
    assert (settings.data_dir / "x").exists()
    assert not Path("/tmp/x").exists()  # noqa: S108 - that was another /tmp


@pytest.mark.usefixtures("box")
def test_servers_are_reached(settings: Settings) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port})); print('there')"
        assert inside(settings, code) == "there"


@pytest.mark.usefixtures("box")
@pytest.mark.parametrize("where", ["/", "/tmp", str(Path.home())])  # noqa: S108
def test_wherever_it_is_started_nothing_more_is_seen(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """`python -m` puts the folder where one stands among those of its modules."""
    monkeypatch.chdir(where)
    monkeypatch.syspath_prepend(where)
    code = f"""
import os, tempfile
tempfile.TemporaryFile().close()
print(os.getcwd(), os.path.exists({str(tmp_path / "other")!r}), os.path.exists(os.path.expanduser("~/.bashrc")))
"""
    assert inside(settings, code) == f"{where} False False"


WORKS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
signal.signal(signal.SIGINT, lambda *_: sys.exit(8))
print("works", flush=True)
time.sleep(60)
"""


@pytest.fixture
def supervised(settings: Settings, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own group that has something run inside, as `tyndau worker` does; it works already."""
    code = f"""
import sys
from pathlib import Path
from archive.jobs.sandbox import Sandbox, run_inside
from config.settings import Settings
sys.exit(run_inside(Sandbox.REQUIRED, Settings(data_dir=Path({str(tmp_path)!r})), [sys.executable, "-c", {WORKS!r}]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as one:
        assert one.stdout
        assert one.stdout.readline() == "works\n"
        yield one
        one.kill()


def inner_of(one: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(one.pid).children(recursive=True)


@pytest.mark.usefixtures("box")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 7), (signal.SIGINT, 8)])
def test_it_is_told_to_end_and_ends_in_its_own_time(supervised: subprocess.Popen[str], number: int, code: int) -> None:
    """A terminal's Ctrl-C goes to the whole group."""
    os.killpg(supervised.pid, number)
    assert supervised.wait(20) == code


@pytest.mark.usefixtures("box")
def test_it_does_not_outlive_who_started_it(supervised: subprocess.Popen[str]) -> None:
    inner = inner_of(supervised)
    assert len(inner) == 2
    supervised.kill()
    _, alive = psutil.wait_procs(inner, 10)
    assert alive == []


@pytest.mark.usefixtures("box")
def test_work_is_done_there(database: Settings) -> None:
    done = tyndau("worker", "--until-idle", "--sandbox", "required", env=environment(database))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "JOB-004" not in done.stderr


def test_without_one_it_says_so_or_does_not_work(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(INSIDE, raising=False)
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    caplog.set_level("INFO")
    assert run_inside(Sandbox.AUTO, settings, ["x"]) is None
    assert [record.fields["code"] for record in caplog.records] == ["JOB-004"]  # type: ignore[attr-defined]
    with pytest.raises(Misconfigured, match="bubblewrap is not installed"):
        run_inside(Sandbox.REQUIRED, settings, ["x"])
    caplog.clear()
    monkeypatch.setenv("INVOCATION_ID", "0")  # the shipped unit of systemd is a box
    assert run_inside(Sandbox.AUTO, settings, ["x"]) is None
    assert run_inside(Sandbox.OFF, settings, ["x"]) is None
    assert caplog.records == []
