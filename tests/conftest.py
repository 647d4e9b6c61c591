"""Fixtures that every part shares."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from argon2 import PasswordHasher
from hypothesis import settings as hypothesis_settings
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import make_url

from archive import accounts
from archive.db.session import Sessions, make_sessions, upgrade
from archive.embedded import Servers, embedded
from archive.storage.port import ObjectStore
from archive.storage.s3 import open_store
from config.settings import Database, Settings
from tests.browser import (  # noqa: F401 - fixtures
    accessibility,
    axe_source,
    chromium,
    chromium_path,
    complaints,
    open_page,
    playwright_driver,
    shots,
)

# How long an example takes is no property of the code: the machine may be busy with something else.
hypothesis_settings.register_profile("no deadline", deadline=None)
hypothesis_settings.load_profile("no deadline")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session", autouse=True)
def passwords_cost_little() -> Iterator[None]:
    """Thousands of sign-ins take minutes otherwise. What a password really costs, test_cli looks at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def shared_audio() -> Path:
    """The folder of test speech that lies beside the repository; it is not part of it."""
    folder = SHARED / "audio"
    if not (folder / "manifest.tsv").is_file():
        pytest.skip("test speech is not here: ../shared/audio/manifest.tsv is missing")
    return folder


@pytest.fixture(scope="session")
def continuity_tool() -> Path:
    """The checker of counter pictures that lies beside the repository."""
    tool = SHARED / "tools" / "continuity.py"
    if not tool.is_file():
        pytest.skip("the continuity checker is not here: ../shared/tools/continuity.py is missing")
    return tool


GIVEN_POSTGRES = os.environ.get("TYNDAU_TEST_POSTGRES_URL", "")  # of a superuser; CI names a PostgreSQL 15
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def embedded_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The embedded PostgreSQL and object store, one pair per test process."""
    with embedded(tmp_path_factory.mktemp("servers")) as servers:
        yield servers


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What asks for a database but is not about its ways runs on one server alone. What takes longest begins first."""
    gone = [item for item in items if "[given" in item.name and not item.nodeid.startswith(ON_EACH_SERVER)]
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item not in gone]
    items.sort(key=lambda item: [not item.nodeid.startswith(one) for one in LONGEST])


LONGEST = ("tests/web/test_journeys.py", "tests/crash/test_kill.py", "tests/transcribe/test_parts.py")
ON_EACH_SERVER = tuple(f"tests/archive/test_{name}.py" for name in ("audit", "db", "ingest", "jobs", "watch"))


@pytest.fixture(scope="session", params=["embedded", "given"] if GIVEN_POSTGRES else ["embedded"])
def postgres_url(request: pytest.FixtureRequest) -> str:
    """A superuser's address; the tests of `ON_EACH_SERVER` run on each server there is."""
    if request.param == "given":
        return GIVEN_POSTGRES
    servers: Servers = request.getfixturevalue("embedded_servers")
    return servers.database_url


@pytest.fixture(scope="session")
def database_template(postgres_url: str) -> Iterator[str]:
    """The name of an upgraded, empty database to copy."""
    with fresh_database(postgres_url) as name:
        upgrade(Settings(database=Database(url=SecretStr(url_of(postgres_url, name)))))
        yield name


@pytest.fixture
def database(
    postgres_url: str, database_template: str, embedded_servers: Servers, tmp_path: Path
) -> Iterator[Settings]:
    """Settings with an upgraded, empty database of the test's own, the object store, and a data folder."""
    with fresh_database(postgres_url, database_template) as name:
        url = SecretStr(url_of(postgres_url, name))
        storage = embedded_servers.storage
        yield Settings(database=Database(url=url, pool_size=4), storage=storage, data_dir=tmp_path / "data")


@pytest.fixture
def sessions(database: Settings) -> Iterator[Sessions]:
    """Sessions on `database`."""
    made = make_sessions(database)
    yield made
    made.kw["bind"].dispose()


@pytest.fixture(scope="session")
def evidence_store(embedded_servers: Servers) -> ObjectStore:
    """The bucket with versioning and object lock; shared by the tests of a process."""
    return open_store(embedded_servers.storage, embedded_servers.storage.evidence_bucket)


@pytest.fixture(scope="session")
def derived_store(embedded_servers: Servers) -> ObjectStore:
    """The bucket of derived copies; shared by the tests of a process."""
    return open_store(embedded_servers.storage, embedded_servers.storage.derived_bucket)


@contextmanager
def fresh_database(url: str, template: str = "template1") -> Iterator[str]:
    """The name of a new database on the server of `url`; dropped at the end."""
    name = f"tyndau_test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        yield name
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def url_of(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)
