"""`tyndau db`, `tyndau user`, `tyndau worker` as people call them: one line on failure, no stack trace."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from archive import accounts
from archive.db import passkeys, second_factors, signatures
from archive.db import tables as t
from archive.db.passkeys import NewPasskey
from archive.db.session import Sessions
from archive.db.sessions import NewSession, insert_session
from archive.domain.access import Role
from archive.domain.errors import NotSignedIn
from archive.jobs.defer import defer
from archive.second_factor import Vault
from config.settings import Settings
from tests.archive.test_jobs import environment
from tests.authority import new_iin

REPOSITORY = Path(__file__).resolve().parents[2]
DOWN = {"TYNDAU_DATABASE__URL": "postgresql://x:y@127.0.0.1:1/z", "TYNDAU_STORAGE__ENDPOINT": "127.0.0.1:1"}


def tyndau(*words: str, env: dict[str, str], typed: str = "") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from archive.console import main; main()", *words]
    return subprocess.run(program, env=env, input=typed, capture_output=True, text=True, timeout=60, check=False)


def test_upgrade_twice(database: Settings) -> None:
    for _ in range(2):
        done = tyndau("db", "upgrade", env=environment(database))
        assert (done.returncode, done.stderr) == (0, "")


def test_user_add(database: Settings, sessions: Sessions) -> None:
    words = ("user", "add", "Aigul", "--role", "judge", "--name", "Айгүл Қасымова", "--password-stdin")
    done = tyndau(*words, env=environment(database), typed="correct horse battery\n")
    assert done.returncode == 0, done.stderr
    with sessions() as session:
        user = session.scalars(select(t.User)).one()
        assert (user.username, user.role, user.display_name) == ("aigul", "judge", "Айгүл Қасымова")
        assert user.password_hash
        assert user.password_hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert user.must_change_password
    again = tyndau(*words, env=environment(database), typed="correct horse battery\n")
    assert (again.returncode, len(again.stderr.splitlines())) == (1, 1)
    assert "taken" in again.stderr


def test_who_has_lost_password_or_authenticator_begins_anew(database: Settings, sessions: Sessions) -> None:
    now = datetime.now(UTC)
    with sessions.begin() as session:
        user = accounts.add_user(
            session, username="asel", password="correct horse battery", display_name="Асель", role=Role.SECRETARY
        )
        begun = NewSession("0" * 64, "csrf", "127.0.0.1", second=True)
        insert_session(session, user, begun, now)
        session.add(t.SecondFactor(user_id=user, secret="x", since_utc=now))
        session.flush()
        second_factors.set_recovery_codes(session, user, ["0" * 64])
        assert passkeys.add(session, user, NewPasskey(b"id", b"key", 0), "Blue key", now)
    lost = tyndau("user", "reset-second-factor", "Asel", env=environment(database))
    assert (lost.returncode, lost.stdout) == (0, "asel signs in without a second factor; 1 sessions have ended.\n")
    words = ("user", "password", "asel", "--password-stdin")
    assert tyndau(*words, env=environment(database), typed="another horse battery\n").returncode == 0
    with sessions() as session:
        assert second_factors.factor(session, user) == second_factors.Factor()
        assert second_factors.recovery_codes_left(session, user) == 0
        assert passkeys.of(session, user) == []
        assert session.get_one(t.User, user).must_change_password
        assert accounts.authenticate(session, "asel", "another horse battery").id == user
        assert session.scalars(select(t.Session.ended_utc)).one() is not None
    for missing in (("user", "reset-second-factor", "nobody"), ("user", "password", "nobody", "--password-stdin")):
        done = tyndau(*missing, env=environment(database), typed="another horse battery\n")
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


def test_an_account_is_shut_and_opened_again(database: Settings, sessions: Sessions) -> None:
    now = datetime.now(UTC)
    with sessions.begin() as session:
        user = accounts.add_user(
            session, username="dana", password="correct horse battery", display_name="Дана", role=Role.JUDGE
        )
        for begun in ("0", "1"):
            insert_session(session, user, NewSession(begun * 64, begun, "127.0.0.1", second=True), now)
    env = environment(database)
    assert tyndau("user", "end-sessions", "Dana", env=env).stdout == "dana is signed out; 2 sessions have ended.\n"
    for _ in range(2):
        assert tyndau("user", "disable", "dana", env=env).stdout == "dana signs in no more.\n"
    with sessions.begin() as session, pytest.raises(NotSignedIn):
        accounts.authenticate(session, "dana", "correct horse battery")
    for _ in range(2):
        assert tyndau("user", "enable", "dana", env=env).stdout == "dana signs in again as judge.\n"
    with sessions.begin() as session:
        assert accounts.authenticate(session, "dana", "correct horse battery").role is Role.JUDGE
        order = select(t.Audit.action).where(t.Audit.action.startswith("user.")).order_by(t.Audit.id)
        assert list(session.scalars(order)) == ["user.sessions", "user.disable", "user.enable"]
    assert tyndau("user", "disable", "nobody", env=env).returncode == 1


def test_a_court_comes_in_by_a_document_and_lets_its_system_call(database: Settings, sessions: Sessions) -> None:
    example = (REPOSITORY / "config" / "schedule.example.json").read_text(encoding="utf-8")
    for _ in range(2):
        done = tyndau("schedule", "import", "-", env=environment(database), typed=example)
        assert (done.returncode, done.stdout) == (0, "1 courts, 1 courtrooms, 1 hearings are in.\n"), done.stderr
    with sessions() as session:
        assert session.scalars(select(t.Hearing.external_id)).all() == ["torelik-2026-004501-1"]
    misspelt = tyndau("schedule", "import", "-", env=environment(database), typed=example.replace("class", "klass"))
    assert (misspelt.returncode, len(misspelt.stderr.splitlines())) == (1, 1)
    assert "hearings.0.class" in misspelt.stderr
    made = tyndau("token", "create", "saryarka", "Төрелік", "--scope", "schedule", env=environment(database))
    assert made.stdout.startswith("tyi_")
    listed = tyndau("token", "list", env=environment(database)).stdout
    assert made.stdout.strip() not in listed
    assert "saryarka  schedule  good  last used never  Төрелік" in listed
    gone = tyndau("token", "revoke", listed.split()[0], env=environment(database))
    assert gone.stdout == "Төрелік may not call any more.\n"
    assert "revoked" in tyndau("token", "list", env=environment(database)).stdout


def test_accounts_are_tied_to_a_number_and_untied(database: Settings, sessions: Sessions, tmp_path: Path) -> None:
    env = {**environment(database), "TYNDAU_DATA_DIR": str(tmp_path)}
    with sessions.begin() as session:
        user = accounts.add_user(session, username="dana", password=None, display_name="Дана", role=Role.PARTY)
    words = ("user", "tie-signature", "Dana", "--iin-stdin")
    wrong = tyndau(*words, env=env, typed="900101000000\n")
    assert (wrong.returncode, "twelve digits" in wrong.stderr, "900101" in wrong.stderr) == (1, True, False)
    done = tyndau(*words, env=env, typed=f"{new_iin(7)}\n")
    assert (done.returncode, done.stdout) == (0, "dana may sign in by an electronic signature.\n"), done.stderr
    known_as = Vault.load_or_create(tmp_path / "second-factor.key").name_of(new_iin(7))
    with sessions() as session:
        person = signatures.whose(session, known_as)
        assert person is not None
        assert person.id == user
        assert new_iin(7) not in str([row.data for row in session.scalars(select(t.Audit))])
    again = tyndau(*words, env=env, typed=f"{new_iin(8)}\n")
    assert (again.returncode, len(again.stderr.splitlines())) == (1, 1)
    gone = tyndau("user", "untie-signature", "dana", env=env)
    assert gone.stdout == "dana does not sign in by a signature any more; 0 sessions have ended.\n"
    assert tyndau("user", "untie-signature", "dana", env=env).returncode == 1


def test_accounts_are_tied_to_a_provider_and_untied(database: Settings, sessions: Sessions) -> None:
    issuer = "https://id.example/courts"
    env = {
        **environment(database),
        "TYNDAU_OIDC__ISSUER": issuer,
        "TYNDAU_OIDC__CLIENT_ID": "tyndau",
        "TYNDAU_API__PUBLIC_URL": "https://hearings.example",
    }
    added = tyndau("user", "add", "Berik", "--role", "judge", "--at-provider", env=env)
    assert (added.returncode, "berik is tied to whoever first signs in" in added.stdout) == (0, True), added.stderr
    with sessions() as session:
        user = accounts.whose(session, "berik").id
        row = session.scalars(select(t.ProviderIdentity).where(t.ProviderIdentity.user_id == user)).one()
        assert (row.issuer, row.subject, row.until_utc is None) == (issuer, None, False)
        assert session.get_one(t.User, user).password_hash is None
    tied = tyndau("user", "tie", "Berik", "--subject", "s-1", env=env)
    assert (tied.returncode, tied.stdout) == (0, "berik is s-1 at the provider.\n"), tied.stderr
    assert tyndau("user", "untie", "berik", env=env).stdout.endswith("0 sessions have ended.\n")
    for wrong in (("user", "untie", "berik"), ("user", "tie", "nobody")):
        done = tyndau(*wrong, env=env)
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    off = tyndau("user", "tie", "berik", env=environment(database))
    assert (off.returncode, "oidc.issuer" in off.stderr) == (1, True)


def test_worker_until_idle(database: Settings, sessions: Sessions) -> None:
    with sessions.begin() as session:
        defer(session, "ingest.segments", queue="default", recording="none")
    done = tyndau("worker", "--queues", "default", "--until-idle", env=environment(database))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("db", "upgrade"),
        ("worker",),
        ("user", "add", "x1", "--role", "judge", "--password-stdin"),
    ],
)
def test_a_database_that_is_down_is_one_line(words: tuple[str, ...]) -> None:
    done = tyndau(*words, env={**os.environ, **DOWN}, typed="long enough\n")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "the database does not answer" in done.stderr


@pytest.mark.parametrize(
    "words", [("worker", "--queues", "gpu"), ("user", "add", "x", "--role", "king"), ("db", "nonsense")]
)
def test_wrong_use_is_exit_2(words: tuple[str, ...]) -> None:
    assert tyndau(*words, env=dict(os.environ)).returncode == 2


@pytest.mark.parametrize("words", [("db", "upgrade"), ("user", "add"), ("worker",)])
def test_help_has_an_example(words: tuple[str, ...]) -> None:
    done = tyndau(*words, "--help", env=dict(os.environ))
    assert done.returncode == 0
    assert "Example:" in done.stdout


def test_an_administrator_says_where_somebody_is_told_of_news(database: Settings, sessions: Sessions) -> None:
    with sessions.begin() as session:
        accounts.add_user(session, username="asel", password=None, display_name="Асель", role=Role.PARTY)
    words = ("notices", "contact", "Asel", "--email", "asel@example.kz", "--language", "kk", "--no-sms")
    done = tyndau(*words, env=environment(database))
    assert (done.returncode, done.stdout) == (0, "asel is told by mail, in kk.\n"), done.stderr
    done = tyndau("notices", "contact", "asel", "--phone", "8 701 234 56 78", "--sms", env=environment(database))
    assert (done.returncode, done.stdout) == (0, "asel is told by mail and sms, in kk.\n")
    with sessions() as session:
        data = session.scalars(select(t.Audit.data).where(t.Audit.action == "contact")).all()
        assert {"user": "asel", "changed": ["phone", "by_sms"]} in data
    done = tyndau("notices", "contact", "asel", "--email", "asel@", env=environment(database))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert tyndau("notices", "list", env=environment(database)).stdout == ""
