"""The OpenAPI is kept: whoever asks whatever, the reply is one that it names, has its form, and betrays nothing.

Requests are made from it by schemathesis, half of them with the court's own ids, in a court that nobody else asks.
TYNDAU_FUZZ says how many of each operation, at random then; `-rP` prints who was answered what.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from api.app import routed
from api.contract import all_kinds
from archive.db.session import upgrade
from config.settings import Database, Settings
from tests.api.conftest import Running
from tests.api.fuzz.asking import Asking, Operation, operations
from tests.api.fuzz.plans import BODIES, NEVER_DONE, OF_THE_CALLER
from tests.api.world import make_court
from tests.conftest import fresh_database, url_of

TRIES = int(os.environ.get("TYNDAU_FUZZ", "0"))
SHORT = 2
DOCUMENT = routed().openapi()
OPERATIONS = operations(DOCUMENT)
VERBS = """
accept acknowledge add approve ask assign begin cancel certify challenge change check command compare confirm create
decide drop end enrol enter export finish get give head lift list make put read register release remove rename renew
request reset return revoke search send set sign summon watch withdraw
""".split()  # noqa: SIM905 - seventy lines otherwise


@pytest.fixture(scope="module")
def own_court(installation: Settings) -> Iterator[Running]:
    """An application on the same servers, with a database of its own."""
    server = installation.database.url.get_secret_value()
    with fresh_database(server) as name:
        database = Database(url=SecretStr(url_of(server, name)))
        api = installation.api.model_copy(update={"sign_in_attempts": 1_000_000})
        settings = installation.model_copy(update={"database": database, "api": api})
        upgrade(settings)
        one = Running(settings)
        yield one
        assert one.stop()


@pytest.fixture(scope="module")
def asking(own_court: Running) -> Iterator[Asking]:
    made = Asking.begin(DOCUMENT, own_court, make_court(own_court.url, own_court.services), at_length=TRIES > 0)
    yield made
    made.callers.close()
    print(made.summary())


# --- the document ------------------------------------------------------------------------------------


def test_operation_ids_are_verbs_first_short_and_unlike() -> None:
    ids = [one.id for one in OPERATIONS]
    assert len(set(ids)) == len(ids)
    for one in ids:
        assert re.fullmatch(r"[a-z]+(_[a-z]+){0,3}", one), one
        assert one.split("_")[0] in VERBS, f"{one}: begin with what it does"


def test_names_of_shapes_are_short_and_unlike() -> None:
    """FastAPI tells apart what has the same name by where it stands: `api__routes__agent__Participant`."""
    for name in DOCUMENT["components"]["schemas"]:
        assert re.fullmatch(r"[A-Z][A-Za-z]{1,30}", name), name


def test_every_problem_has_an_example() -> None:
    assert set(DOCUMENT["components"]["examples"]) == {kind.code for kind in all_kinds()}


def test_every_operation_says_what_it_does_and_how_it_answers() -> None:
    for one in OPERATIONS:
        assert one.about["description"], one.id
        assert one.about["tags"], one.id
        assert "default" not in one.about["responses"], one.id
        assert any(status.startswith("2") for status in one.about["responses"]), one.id
        assert ("security" in one.about) == ("401" in one.about["responses"]) or one.id == "sign_in", one.id


def test_every_operation_has_a_plan() -> None:
    """A new one fails here until tests/api/fuzz/plans.py says what is sent to it."""
    taking = {one.id for one in OPERATIONS if "requestBody" in one.about}
    assert BODIES.keys() | OF_THE_CALLER.keys() == taking
    assert set(NEVER_DONE) <= {one.id for one in OPERATIONS}


# --- its keeping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS, ids=[one.id for one in OPERATIONS])
def test_the_contract_is_kept(asking: Asking, operation: Operation) -> None:
    asking.as_planned(operation)
    asking.fuzz(operation, TRIES or SHORT)
    wrong = asking.taken()
    assert not wrong, "\n\n".join(wrong)


def test_what_can_be_done_was_done(asking: Asking) -> None:
    """Otherwise nothing but refusals was looked at."""
    if len(asking.answers) < len(OPERATIONS):
        pytest.skip("only some operations were asked")
    assert {one.id for one in OPERATIONS if not asking.done[one.id]} == set(NEVER_DONE)
