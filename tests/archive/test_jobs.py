"""The queue: in the transaction of its rows, retried, parked, and taken over from dead workers (invariant 10)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from archive.db.session import Sessions
from archive.domain.errors import DatabaseUnavailable, Misconfigured, StoreUnavailable
from archive.jobs import app as registry
from archive.jobs.app import Task, task
from archive.jobs.context import JobContext
from archive.jobs.defer import defer
from archive.jobs.takeover import take_over
from archive.jobs.worker import run_worker
from config.settings import Settings
from tests.waiting import wait_for

# A worker whose task says that it has begun and, at the first attempt, never ends.
WORKER = """
import sys, time
from pathlib import Path
from archive.jobs import app, worker
from config.settings import load_settings

folder = Path(sys.argv[1])
app.load_tasks()

@app.task("test.stuck", queue="default")
def stuck(context, *, name):
    with (folder / name).open("a") as file:
        file.write("begun\\n")
    while not (folder / "free").exists():
        time.sleep(0.02)
    with (folder / name).open("a") as file:
        file.write("done\\n")

worker.run_worker(load_settings(), ["default"], pace=worker.Pace(0.2, 1.0, 0.2, 0.5))
"""


@pytest.fixture
def tasks() -> Iterator[dict[str, Task]]:
    """The registry; what a test adds goes again."""
    registry.load_tasks()
    before = dict(registry.TASKS)
    yield registry.TASKS
    registry.TASKS.clear()
    registry.TASKS.update(before)


def jobs(sessions: Sessions) -> list[tuple[str, str, int]]:
    with sessions() as session:
        rows = session.execute(text("SELECT task_name, status::text, attempts FROM procrastinate_jobs ORDER BY id"))
        return [(row[0], row[1], row[2]) for row in rows]


def run_now(sessions: Sessions) -> None:
    """Nobody waits for a retry in a test."""
    with sessions.begin() as session:
        session.execute(text("UPDATE procrastinate_jobs SET scheduled_at = NULL"))


def environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        "TYNDAU_DATA_DIR": str(settings.data_dir),
        "TYNDAU_DATABASE__URL": settings.database.url.get_secret_value(),
        "TYNDAU_STORAGE__ENDPOINT": settings.storage.endpoint,
        "TYNDAU_STORAGE__SECURE": "false",
        "TYNDAU_STORAGE__ACCESS_KEY": settings.storage.access_key.get_secret_value(),
        "TYNDAU_STORAGE__SECRET_KEY": settings.storage.secret_key.get_secret_value(),
    }


def test_a_job_goes_with_its_transaction(sessions: Sessions) -> None:
    with sessions() as session:
        assert defer(session, "test.x", queue="default", name="ы%s")
        session.rollback()
    assert jobs(sessions) == []
    with sessions.begin() as session:
        assert defer(session, "test.x", queue="default", name="ы%s")
    with sessions() as session:
        assert session.scalar(text("SELECT args FROM procrastinate_jobs")) == {"name": "ы%s"}


def test_a_waiting_job_is_not_queued_again_and_nothing_is_aborted(sessions: Sessions) -> None:
    with sessions.begin() as session:
        first = defer(session, "test.x", queue="default", queueing_lock="one")
    with sessions.begin() as session:
        assert defer(session, "test.x", queue="default", queueing_lock="one") is None
        assert defer(session, "test.y", queue="default", queueing_lock="two")
    assert first
    assert [name for name, _, _ in jobs(sessions)] == ["test.x", "test.y"]


def test_two_transactions_at_once_queue_one_job(sessions: Sessions) -> None:
    answers: list[int | None] = []

    def run() -> None:
        with sessions.begin() as session:
            answers.append(defer(session, "test.x", queue="default", queueing_lock="one"))

    with sessions.begin() as session:  # the others wait for this one to commit or not
        assert defer(session, "test.x", queue="default", queueing_lock="one")
        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert answers == [None] * 3
    assert len(jobs(sessions)) == 1


def test_a_job_that_somebody_counts_on_is_not_started_before_the_commit(
    database: Settings, sessions: Sessions, tasks: dict[str, Task]
) -> None:
    seen: list[int] = []

    @task("test.look", queue="default")
    def look(context: JobContext) -> None:
        with context.sessions() as session:
            seen.append(session.scalar(text("SELECT count(*) FROM courts")) or 0)

    with sessions.begin() as session:
        defer(session, "test.look", queue="default", queueing_lock="look")
    with sessions.begin() as session:
        session.execute(text("INSERT INTO courts (code, name_kk, name_ru, name_en) VALUES ('a','a','a','a')"))
        assert defer(session, "test.look", queue="default", queueing_lock="look") is None
        with sessions.begin() as worker:  # what a worker asks; it must not get the job now
            fetched = text("SELECT id FROM procrastinate_fetch_job_v2(ARRAY['default'], NULL)")
            assert worker.scalar(fetched) is None
    run_worker(database, ["default"], stop_when_idle=True)
    assert seen == [1]


def test_a_failing_task_is_tried_again_and_then_parked(
    database: Settings, sessions: Sessions, tasks: dict[str, Task], caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    @task("test.fails", queue="default", attempts=3)
    def fails(context: JobContext, *, number: int) -> None:
        tries.append(number)
        raise RuntimeError("no luck")

    with sessions.begin() as session:
        defer(session, "test.fails", queue="default", number=7)
    for _ in range(5):
        run_worker(database, ["default"], stop_when_idle=True)
        run_now(sessions)
    assert tries == [7, 7, 7]
    assert [status for _, status, _ in jobs(sessions)] == ["failed"]
    parked = [r for r in caplog.records if getattr(r, "fields", {}).get("code") == "JOB-001"]
    assert len(parked) == 1


def test_a_task_that_queues_another_is_not_the_end(
    database: Settings, sessions: Sessions, tasks: dict[str, Task]
) -> None:
    done: list[int] = []

    @task("test.chain", queue="media")
    def chain(context: JobContext, *, left: int) -> None:
        done.append(left)
        if left:
            with context.sessions.begin() as session:
                defer(session, "test.chain", queue="media", left=left - 1)

    with sessions.begin() as session:
        defer(session, "test.chain", queue="media", left=3)
    run_worker(database, ["media"], concurrency=2, stop_when_idle=True)
    assert done == [3, 2, 1, 0]
    assert jobs(sessions) == []


def test_jobs_of_one_lock_run_in_their_order(database: Settings, sessions: Sessions, tasks: dict[str, Task]) -> None:
    order: list[int] = []
    busy = threading.Lock()

    @task("test.ordered", queue="default")
    def ordered(context: JobContext, *, number: int) -> None:
        assert busy.acquire(blocking=False)
        order.append(number)
        busy.release()

    with sessions.begin() as session:
        for number in range(6):
            defer(session, "test.ordered", queue="default", lock="one", number=number)
    run_worker(database, ["default"], concurrency=4, stop_when_idle=True)
    assert order == list(range(6))


def test_a_worker_leaves_queues_alone_that_it_cannot_do(
    database: Settings, sessions: Sessions, tasks: dict[str, Task]
) -> None:
    for name in [name for name, known in tasks.items() if known.queue == "asr"]:
        del tasks[name]
    with sessions.begin() as session:
        defer(session, "transcribe.final", queue="asr", recording="x")
    run_worker(database, ["asr", "default"], stop_when_idle=True)
    assert jobs(sessions) == [("transcribe.final", "todo", 0)]


def test_a_worker_without_a_database_says_so(database: Settings) -> None:
    down = database.database.model_copy(update={"url": type(database.database.url)("postgresql://x:y@127.0.0.1:1/z")})
    with pytest.raises(DatabaseUnavailable):
        run_worker(database.model_copy(update={"database": down}), stop_when_idle=True)
    with pytest.raises(Misconfigured):
        run_worker(database, ["no-such-queue"])


@pytest.mark.crash
def test_another_worker_finishes_what_a_killed_one_began(
    database: Settings, sessions: Sessions, tmp_path: Path
) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    program = [sys.executable, str(script), str(tmp_path)]

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("a") as log:
            return subprocess.Popen(program, env={**environment(database), "PYTHONPATH": str(Path.cwd())}, stderr=log)

    def said(name: str) -> list[str]:
        return (tmp_path / name).read_text().split() if (tmp_path / name).exists() else []

    with sessions.begin() as session:
        defer(session, "test.stuck", queue="default", name="job")
    first = start()
    second = None
    try:
        wait_for(lambda: said("job") == ["begun"], 30, "the first worker to begin")
        first.kill()
        first.wait()
        (tmp_path / "free").touch()
        second = start()
        wait_for(lambda: said("job") == ["begun", "begun", "done"], 30, "the second worker to finish")
        wait_for(lambda: jobs(sessions) == [], 10, "the job to be gone")
        second.send_signal(signal.SIGTERM)
        assert second.wait(15) == 0
    finally:
        for process in (first, second):
            if process and process.poll() is None:
                process.kill()
                process.wait()


@pytest.mark.crash
def test_a_worker_asked_to_stop_leaves_a_long_task_to_others(
    database: Settings, sessions: Sessions, tmp_path: Path
) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    with sessions.begin() as session:
        defer(session, "test.stuck", queue="default", name="job")
    with (tmp_path / "log").open("w") as log:
        worker = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path)],
            env={**environment(database), "PYTHONPATH": str(Path.cwd())},
            stderr=log,
        )
        try:
            wait_for(lambda: (tmp_path / "job").exists(), 30, "the worker to begin")
            worker.send_signal(signal.SIGINT)
            assert worker.wait(15) == 0
        finally:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
    assert [status for _, status, _ in jobs(sessions)] == ["doing"]
    with sessions.begin() as session:
        session.execute(text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"))
    assert take_over(sessions, 30) == 1
    assert [(status, attempts) for _, status, attempts in jobs(sessions)] == [("todo", 1)]


def test_a_job_that_kills_its_worker_each_time_is_parked(sessions: Sessions, caplog: pytest.LogCaptureFixture) -> None:
    with sessions.begin() as session:
        defer(session, "test.deadly", queue="default")
    for _ in range(registry.ATTEMPTS):
        with sessions.begin() as session:
            session.execute(text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL"))
        take_over(sessions, 30)
    assert [status for _, status, _ in jobs(sessions)] == ["failed"]
    codes = [getattr(r, "fields", {}).get("code") for r in caplog.records]
    assert codes.count("JOB-001") == 1


def test_what_a_dead_worker_did_is_taken_over_though_it_was_queued_anew_meanwhile(sessions: Sessions) -> None:
    """What waits is told nothing of what the first one has left undone, so both run, one after the other."""

    def again() -> int | None:
        with sessions.begin() as session:
            return defer(session, "test.again", queue="default", lock="x", queueing_lock="x")

    again()
    with sessions.begin() as session:
        session.execute(text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL"))
    assert again() is not None
    assert again() is None
    assert take_over(sessions, 30) == 1
    assert [status for _, status, _ in jobs(sessions)] == ["todo", "todo"]


def test_a_task_that_fails_is_tried_again_though_it_was_queued_anew_meanwhile(
    database: Settings, sessions: Sessions, tasks: dict[str, Task]
) -> None:
    begun: list[int] = []

    def again(context_sessions: Sessions) -> None:
        with context_sessions.begin() as session:
            defer(session, "test.fails_once", queue="default", lock="y", queueing_lock="y")

    @task("test.fails_once", queue="default")
    def fails_once(context: JobContext) -> None:
        begun.append(len(begun))
        if begun == [0]:
            again(context.sessions)
            raise StoreUnavailable("the store is away for a moment")

    again(sessions)
    for _ in range(3):
        run_worker(database, ["default"], stop_when_idle=True)
        run_now(sessions)
    assert begun == [0, 1, 2]
    assert jobs(sessions) == []


def test_a_living_workers_jobs_are_left_alone(sessions: Sessions) -> None:
    with sessions.begin() as session:
        defer(session, "test.x", queue="default")
        worker = session.scalar(text("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id"))
        session.execute(text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = :id"), {"id": worker})
    assert take_over(sessions, 30) == 0
