"""Every job, killed at random steps and run again, ends where an undisturbed run of it ends (invariant 10).

TYNDAU_KILLS says how many kills a job gets (default 3, as many again for each world of a long run), TYNDAU_KILLS_SEED
repeats a run: the seed is printed.
"""

from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from archive import accounts
from archive.db import audit, contacts, exports, integrations, people, requests, webhook_log, webhooks
from archive.db import tables as t
from archive.db.exports import Order
from archive.db.integrations import Scope
from archive.db.keeping import Target
from archive.db.transcripts import final_key, put_final
from archive.db.webhook_tables import WebhookDelivery
from archive.domain.access import Role
from archive.domain.asking import Wants
from archive.domain.chain import Kind, sha256_hex
from archive.domain.exports import Kind as ExportKind
from archive.domain.revisions import Ref, SetText
from archive.domain.transcript import Language, Transcript, Utterance
from archive.domain.transcript_file import as_dict
from archive.domain.webhooks import EventKind
from archive.embedded import Servers
from archive.jobs.app import TASKS, load_tasks
from archive.jobs.context import JobContext
from archive.keeping import consent, holds
from archive.publish.jobs import publish_recording
from archive.receipts import issue_receipt
from archive.revising import Act, save
from archive.second_site.work import copy_recording
from archive.storage.s3 import ensure_bucket
from archive.webhooks import signing
from config.settings import Database, Notices, SecondSite, Settings, Timestamps, Webhooks
from tests.archive.authority import running_authority
from tests.archive.court import Recorded, open_room
from tests.archive.receiver import receiving, status
from tests.archive.worlds import World, another, run, state
from tests.carriers import MailBox, mail_server
from tests.conftest import fresh_database, url_of
from tests.publish.hearing import Folder, record_run

pytestmark = pytest.mark.crash

KILLS = 3
ASKED = int(os.environ.get("TYNDAU_KILLS", str(KILLS)))
SEED = int(os.environ.get("TYNDAU_KILLS_SEED", str(random.randrange(10**6))))
# Recognition is slow and has kill tests of its own.
ELSEWHERE = dict.fromkeys(("transcribe.live", "transcribe.final"), "tests/transcribe/test_jobs.py")
ELSEWHERE["transcribe.part"] = "tests/transcribe/test_parts.py"
SAID = Utterance(500, 2_500, "judge", Language.RU, "слушается дело")

Prepare = Callable[[JobContext, str], dict[str, Any]]


@dataclass(frozen=True)
class Scene:
    """What must be there before a job, and the settings it is run with."""

    prepare: Prepare
    settings: dict[str, Any] = field(default_factory=dict)


def closed(_context: JobContext, recording: str) -> dict[str, Any]:
    return {"recording": recording}


def receipted(context: JobContext, recording: str) -> dict[str, Any]:
    assert issue_receipt(context, recording)
    idle(context)
    return {"recording": recording}


def held(context: JobContext, recording: str) -> dict[str, Any]:
    receipted(context, recording)
    holds.add_hold(context.sessions, Target(recording), "проверка", None)
    idle(context)
    return {"recording": recording}


def agreed(context: JobContext, recording: str) -> dict[str, Any]:
    """Two persons have agreed to destroy it; its term is over."""
    receipted(context, recording)
    copy_recording(context, recording)
    context.derived.put(f"{recording}/media/v1/mix.mp4", b"mix")
    with context.sessions.begin() as session:
        session.execute(text("UPDATE retention_classes SET term = 1, unit = 'days' WHERE case_kind = 'civil'"))
        for name, role in (("aigul", Role.ARCHIVIST), ("marat", Role.ADMIN)):
            accounts.add_user(
                session, username=name, password="correct horse", display_name=name, role=role,
                court="saryarka" if role is Role.ADMIN else None, language="kk",
            )  # fmt: skip
        found = [people.credentials(session, name) for name in ("aigul", "marat")]
    first, second = (one.person for one in found if one)
    idle(context)
    made = consent.request(context.sessions, context.settings, context.clock, recording, "акт № 7", first)
    consent.approve(context.sessions, context.settings, context.clock, made, second)
    idle(context)
    return {"destruction": str(made)}


def unwanted(context: JobContext, recording: str) -> dict[str, Any]:
    """There are copies that nobody may have any more."""
    prefix = f"{recording}/media/v1/"
    for name in ("mix.mp4", "copies.json"):
        context.derived.put(prefix + name, b"{}")
    with context.sessions.begin() as session:
        about = {"version": 1, "prefix": prefix, "contents": {}, "ready_utc": context.clock.utc()}
        session.add(t.AccessCopy(recording_id=recording, made_from="", marks="ab" * 32, **about))
    return {"recording": recording}


def written_down(context: JobContext, recording: str) -> dict[str, Any]:
    publish_recording(context, recording=recording)
    said = Transcript(8_000, (SAID,), "test")
    context.derived.put(final_key(recording), json.dumps(as_dict(said)).encode())
    with context.sessions.begin() as session:
        put_final(session, recording, said, final_key(recording))
    idle(context)
    return {"recording": recording}


def corrected(context: JobContext, recording: str) -> dict[str, Any]:
    """A person has worked on the text twice."""
    by = people.Person(uuid.UUID(int=1), "secretary", "Хатшы", Role.SECRETARY, "kk", None)
    entry = audit.Entry("edit", True, "test")
    with context.sessions.begin() as session:
        put_final(session, recording, Transcript(8_000, (SAID,), "test"), final_key(recording))
        for number, line in enumerate(("Слушается дело.", "Слушается дело № 7.")):
            act = Act(recording, by, context.clock.utc(), str(number), entry)
            save(session, act, [SetText(Ref(0, number), line)], ())
    idle(context)
    return {"recording": recording}


def wanted(context: JobContext, recording: str) -> dict[str, Any]:
    """Somebody has asked for a film."""
    publish_recording(context, recording=recording)
    with context.sessions.begin() as session:
        accounts.add_user(
            session, username="judge", password="correct horse", display_name="J", role=Role.JUDGE, court="saryarka"
        )
        found = people.credentials(session, "judge")
        hearing = session.scalars(select(t.Recording.hearing_id).where(t.Recording.id == recording)).one()
        assert found
        assert hearing
        place = {"name": "J", "role": "judge", "user_id": found.person.id}
        session.add(t.Participant(hearing_id=hearing, **place))
        order = Order(recording, ExportKind.MP4, "kk", None, "", False, None)
        made = exports.insert(session, order, found.person.id, context.clock.utc(), timedelta(days=1))
    idle(context)
    return {"export": str(made.id)}


def told(context: JobContext, recording: str) -> dict[str, Any]:
    """There is news for somebody who wants to be written to."""
    with context.sessions.begin() as session:
        hearing = session.scalars(select(t.Recording.hearing_id).where(t.Recording.id == recording)).one()
        assert hearing
        words = {"password": None, "language": "kk"}
        for name, role in (("judge", Role.JUDGE), ("party", Role.PARTY)):
            made = accounts.add_user(session, username=name, display_name=name, role=role, **words)
            session.add(t.Participant(hearing_id=hearing, name=name, role=name, user_id=made))
        judge, party = (one.person for name in ("judge", "party") if (one := people.credentials(session, name)))
        wanted = contacts.Contact("party@example.kz", None, "kk", by_mail=True, by_sms=True)
        contacts.set_contact(session, party.id, wanted, context.clock.utc())
        for wants in Wants:
            asked = requests.ask(session, hearing, party, wants, "керек", context.clock.utc())
            requests.refuse(session, asked, judge, "ұйғарым", context.clock.utc())
    idle(context)
    return {}


def refused(context: JobContext, recording: str) -> dict[str, Any]:
    """Another system is told of an alarm, and answers that it cannot take it now."""
    with context.sessions.begin() as session:
        court, room = session.execute(select(t.Courtroom.court_id, t.Courtroom.id)).one()
        integrations.create(session, "saryarka", "CMS", [Scope.SCHEDULE], None, context.clock.utc())
        system = session.scalars(select(t.Integration.id).where(t.Integration.court_id == court)).one()
        secret = signing.close(context.settings, signing.new_secret())
        url = f"http://{context.settings.webhooks.allow_hosts[0]}/told"
        webhook_log.create(session, system, url, [EventKind.ALARM_RAISED], secret)
        webhooks.of_room(session, EventKind.ALARM_RAISED, room, code="REC-010")
        delivery = session.scalars(select(WebhookDelivery.id)).one()
    idle(context)
    return {"delivery": str(delivery), "attempt": 1}


SCENES = {
    "ingest.segments": Scene(closed),
    "receipt.recording": Scene(closed),
    "receipt.stamp": Scene(receipted),
    "second_site.recording": Scene(receipted),
    "archive.card": Scene(receipted),
    "archive.text": Scene(corrected),
    "keep.recording": Scene(held, {"retention_days": 1}),
    "destroy.recording": Scene(agreed),
    "publish.recording": Scene(unwanted),
    "publish.text": Scene(written_down),
    "export.make": Scene(wanted),
    "notices.send": Scene(told),
    "webhook.deliver": Scene(refused),
}


def idle(context: JobContext) -> None:
    """As when the workers have done everything."""
    with context.sessions.begin() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))


@dataclass(frozen=True)
class Begin:
    """A closed recording whose bytes nobody has looked at yet."""

    world: World
    server: str
    recording: str
    box: MailBox


@pytest.fixture(scope="module")
def begin(
    postgres_url: str, database_template: str, embedded_servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Begin]:
    folder = tmp_path_factory.mktemp("worlds")
    for name in ("authority", "mail"):
        (folder / name).mkdir()
    storage = embedded_servers.storage
    site = SecondSite.model_validate({**dict(storage), "evidence_bucket": "killed-second"})
    ensure_bucket(site, site.evidence_bucket, object_lock=True)
    with (
        fresh_database(postgres_url, database_template) as name,
        running_authority(folder / "authority") as authority,
        mail_server(folder / "mail") as box,
        receiving(status(503)) as receiver,
    ):
        settings = Settings(
            database=Database(url=SecretStr(url_of(postgres_url, name)), pool_size=4),
            storage=storage,
            second_site=site,
            timestamps=Timestamps(url=authority.url, ca_file=authority.ca_file),
            notices=Notices(mail=box.settings),
            webhooks=Webhooks(allow_hosts=(f"localhost:{receiver.port}",)),
            data_dir=folder / "begin",
        )
        world = World(folder.name + "-begin", settings)
        with world.context() as context, context.sessions.begin() as session:
            room = open_room(session)
            made = recorded(Recorded(room.hearing), folder / "media")
            made.store(context.evidence)
            made.register(session, room.agent)
            made.send(session, room.agent, made.records)
            made.close(session, room.agent)
            session.execute(text("DELETE FROM procrastinate_jobs"))
        yield Begin(world, postgres_url, made.id, box)


def recorded(made: Recorded, folder: Path) -> Recorded:
    """Two segments of a camera and two of two microphones, really encoded."""
    store = Folder(folder)
    picture = ["-i", "testsrc=s=160x120:r=10", "-t", "8", "-c:v", "libx264", "-preset", "ultrafast", "-g", "20"]
    sound = ["-i", "sine=200[out0];sine=300[out1]", "-map", "0:a:0", "-map", "0:a:1", "-t", "8", "-c:a", "aac"]
    for source, arguments in (("cam", [*picture, "-pix_fmt", "yuv420p"]), ("mics", sound)):
        made.add(Kind.RUN, 0, source=source, run=1)
        for number, one in enumerate(record_run(store, source, 1, 0, arguments, 0), start=1):
            data = (folder / one.key).read_bytes()
            record = made.add(
                Kind.SEGMENT, 8, source=source, run=1, file=f"{source}/{number:06d}.mp4", sha256=sha256_hex(data),
                size=len(data), start_ticks=one.start_ticks, duration_ticks=one.duration_ticks, frames=0, samples=0,
                utc=made.records[0].t, why="ok",
            )  # fmt: skip
            made.media[record.seq] = data
    made.add(Kind.STOP, 9, reason="stopped")
    return made


def test_no_job_is_left_out() -> None:
    load_tasks()
    ours = {name for name, one in TASKS.items() if not one.work.__module__.startswith("tests.")}
    assert ours == SCENES.keys() | ELSEWHERE.keys(), "give a new job a scene here"
    assert all(Path(file).is_file() for file in ELSEWHERE.values())


@contextmanager
def prepared(begin: Begin, name: str, scene: Scene) -> Iterator[tuple[World, dict[str, Any]]]:
    with another(begin.world, begin.server, name) as start:
        with start.context() as context:
            arguments = scene.prepare(context, begin.recording)
        storage = start.settings.storage.model_copy(update=scene.settings)
        yield World(start.name, start.settings.model_copy(update={"storage": storage})), arguments


@pytest.mark.parametrize("task", SCENES)
def test_killed_anywhere_it_ends_the_same(begin: Begin, task: str) -> None:
    rng = random.Random(f"{SEED} {task}")
    print(f"TYNDAU_KILLS_SEED={SEED}")
    with prepared(begin, f"{begin.world.name}-{task}", SCENES[task]) as (start, arguments):
        with another(start, begin.server, f"{start.name}-whole") as whole:
            steps = run(whole, task, arguments)
            assert steps
            expected = state(whole)
        for number in range(max(1, ASKED // KILLS)):
            with another(start, begin.server, f"{start.name}-{number}") as world:
                deaths = [rng.randint(1, steps) for _ in range(min(ASKED, KILLS))]
                for later_min, last in enumerate(deaths, start=1):
                    run(world, task, arguments, last, later_min)
                run(world, task, arguments, later_min=len(deaths) + 1)
                assert state(world) == expected, f"{task} of {steps} steps died in {deaths}, seed {SEED}"


def test_what_is_sent_again_after_a_kill_has_the_same_name(begin: Begin) -> None:
    """Killed between the mail server's answer and the note of it, nobody knows; the mailbox can."""
    with prepared(begin, f"{begin.world.name}-told", SCENES["notices.send"]) as (start, arguments):
        begin.box.taken.clear()
        steps = run(start, "notices.send", arguments, last=3)  # two steps to take it; sent, not noted
        assert steps is None
        run(start, "notices.send", arguments, later_min=1)
        sent = [letter["Message-ID"] for _, letter in begin.box.taken]
    assert sent.count(sent[0]) == 2
    assert len(sent) == len(set(sent)) + 1
