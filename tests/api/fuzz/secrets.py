"""Words that stand nowhere else, planted in a court, and who may read which of them: worked out apart from the code."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import RowMapping, func, select, text, update

from archive.db import tables as t
from archive.db.session import Sessions
from archive.domain.access import AccessClass, Action, Relation, Role, decide
from tests.api.world import Court, Person

TIED = (Role.SECRETARY, Role.JUDGE, Role.PARTY)  # whose names in a case open something


def word() -> str:
    """No person's name, no case's number and no id looks like this."""
    return f"qupiya{secrets.token_hex(6)}"  # ASCII: no encoding hides it


@dataclass(frozen=True, slots=True)
class Planted:
    """What was hidden in one hearing: what shows that it exists, its title and names, its text."""

    hearing: uuid.UUID
    existence: frozenset[str]
    details: frozenset[str]
    said: frozenset[str]

    def words(self, action: Action) -> frozenset[str]:
        """Those that `action` opens."""
        return {Action.LIST: self.existence, Action.DETAILS: self.details, Action.READ: self.said}[action]


@dataclass(frozen=True, slots=True)
class Fact:
    """How a hearing stands in the catalogue: its class, court and case; who is named in it; who holds which order."""

    access_class: AccessClass
    court: uuid.UUID
    case: uuid.UUID
    named: frozenset[str]
    granted: frozenset[tuple[str, Action]]


@dataclass(slots=True)
class Secrets:
    """All of a court; `changed` is called when rights may have changed."""

    sessions: Sessions
    planted: list[Planted] = field(default_factory=list)
    courts: dict[str, uuid.UUID | None] = field(default_factory=dict)  # of people, by username
    rooms: dict[str, uuid.UUID] = field(default_factory=dict)  # the court of each, by its code
    _facts: dict[uuid.UUID, Fact] = field(default_factory=dict)

    def plant(self, court: Court) -> None:
        """Put words into every hearing: number, title, a name, and the text."""
        with self.sessions.begin() as session:
            self.courts = {u.username: u.court_id for u in session.scalars(select(t.User))}
            self.rooms = {room.code: room.court_id for room in session.scalars(select(t.Courtroom))}
            titles: dict[uuid.UUID, tuple[str, str]] = {}
            for held in court.held:
                case = session.scalars(select(t.Hearing.case_id).where(t.Hearing.id == held.hearing)).one()
                number, title = titles.setdefault(case, (word(), word()))
                name, said = word(), word()
                session.execute(update(t.Case).where(t.Case.id == case).values(number=number, title=title))
                judges = (t.Participant.hearing_id == held.hearing, t.Participant.role == "judge")
                session.execute(update(t.Participant).where(*judges).values(name=name))
                lines = update(t.Utterance).where(t.Utterance.recording_id == held.recording)
                session.execute(lines.values(text=func.concat(t.Utterance.text, f" {said}")))
                ids = frozenset({number, str(held.hearing), held.recording})
                self.planted.append(Planted(held.hearing, ids, frozenset({title, name}), frozenset({said})))

    def changed(self) -> None:
        """Look again before the next answer."""
        self._facts.clear()

    def kept_from(self, person: Person | None, room: uuid.UUID | None = None) -> Iterator[str]:
        """What may be in no answer to a person, to the machine of a court's room (`room`: its court), or to nobody."""
        open_to: set[str] = set()
        hidden: set[str] = set()
        for one in self.planted:
            for action in (Action.LIST, Action.DETAILS, Action.READ):
                known = self._knows(person, room, one, action)
                (open_to if known else hidden).update(one.words(action))
        yield from hidden - open_to  # hearings of one case share its number and title

    def _knows(self, person: Person | None, room: uuid.UUID | None, one: Planted, action: Action) -> bool:
        fact = self._fact(one.hearing)
        if person is None:
            at_court = {Relation.COURT} if room is not None and fact.court == room else set()
            return action is not Action.READ and decide(Role.OPERATOR, at_court, fact.access_class, action).allowed
        tied: set[Relation] = set()
        if self.courts.get(person.username) == fact.court:
            tied.add(Relation.COURT)
        if person.role in TIED:
            if person.username in fact.named:
                tied.add(Relation.NAMED)
            if any(person.username in other.named for other in self._facts.values() if other.case == fact.case):
                tied.add(Relation.CASE)
        order = {granted for username, granted in fact.granted if username == person.username}
        wanted = (action, Action.READ_DRAFT) if action is Action.READ else (action,)
        return any(decide(person.role, tied, fact.access_class, one, order).allowed for one in wanted)

    def _fact(self, hearing: uuid.UUID) -> Fact:
        if not self._facts:
            with self.sessions() as session:
                self._facts = {row["hearing"]: _fact(row) for row in session.execute(text(_FACTS)).mappings()}
        return self._facts[hearing]


_FACTS = """
SELECT h.id AS hearing, h.access_class, r.court_id, h.case_id,
       ARRAY(SELECT u.username FROM participants p JOIN users u ON u.id = p.user_id
             WHERE p.hearing_id = h.id AND p.removed_utc IS NULL) AS named,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(u.username, a.action)), '[]')
        FROM grants g JOIN users u ON u.id = g.user_id, unnest(g.actions) AS a(action)
        WHERE g.hearing_id = h.id AND g.revoked_utc IS NULL AND g.until_utc > now()) AS granted
FROM hearings h JOIN courtrooms r ON r.id = h.courtroom_id
"""


def _fact(row: RowMapping) -> Fact:
    return Fact(
        AccessClass(row["access_class"]),
        row["court_id"],
        row["case_id"],
        frozenset(row["named"]),
        frozenset((username, Action(action)) for username, action in row["granted"]),
    )
