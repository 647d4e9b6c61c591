"""Who may do what: role × relation × class × action, as one table and one function.

Every way to a record asks `decide`; `archive.db.hearings` turns the same table into an SQL filter for
lists and search. What the table does not name is denied. Whoever may not list a hearing may not learn
that it exists (NotFound); whoever may list it but not do this is told so (Denied).
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from archive.domain.errors import Denied, NotFound


class Role(StrEnum):
    """What a person is in the courts; one each."""

    OPERATOR = "operator"
    SECRETARY = "secretary"
    JUDGE = "judge"
    PARTY = "party"  # parties, representatives, prosecutors, defenders
    ADMIN = "admin"  # of a court
    ARCHIVIST = "archivist"
    AUDITOR = "auditor"


class Relation(StrEnum):
    """What ties a person to a hearing; several may hold at once."""

    NAMED = "named"  # a participant of this hearing
    CASE = "case"  # a participant of another hearing of its case
    COURT = "court"  # works at its court
    ANY = "any"  # holds for everybody


class AccessClass(StrEnum):
    """How public a hearing is."""

    OPEN = "open"
    CLOSED = "closed"
    SEALED = "sealed"


class Action(StrEnum):
    """What can be done with a hearing; also the word in the audit log."""

    LIST = "list"  # that it exists: number, time, room, state
    DETAILS = "details"  # title of the case, participants
    VIEW = "view"  # play picture and sound
    READ = "read"  # the final text
    READ_DRAFT = "read_draft"  # the machine's text while nobody has finished it
    LEVELS = "levels"  # live state and sound levels, no words
    START = "start"
    STOP = "stop"
    PAUSE = "pause"  # and go on
    MARK = "mark"  # write an event into the record
    BUNDLE = "bundle"  # take a whole copy away
    SEAL = "seal"  # close or seal a hearing, or a span of its recording
    UNSEAL = "unseal"  # and take that back
    EDIT = "edit"  # correct and confirm lines of the text
    CERTIFY = "certify"  # stand by all of the text
    SIGN = "sign"  # sign the certified text, or give it back
    ASK = "ask"  # ask the court for access, or for a copy
    REQUESTS = "requests"  # see what is asked for, and what was granted
    GRANT = "grant"  # grant or refuse that, take a grant back; agree to a place in a hearing, take it away
    EMERGENCY = "emergency"  # ask to play and read at once what one's role does not
    CONFIRM = "confirm"  # let somebody else do that for some hours, refuse it, take it back
    AUDIT = "audit"  # read who did or was refused what with it
    ARRANGE = "arrange"  # hearings entered by hand: add one to a case, change it, name people for it
    SUMMONED = "summoned"  # see who was told of the hearing's time and room, and who has acknowledged that
    SUMMON = "summon"  # tell them


@dataclass(frozen=True, slots=True)
class Rule:
    """A row: people of `role` may do `actions` with hearings of `classes` if one of `relations` holds."""

    role: Role
    actions: frozenset[Action]
    classes: frozenset[AccessClass]
    relations: frozenset[Relation]

    @property
    def name(self) -> str:
        """The row's name in the audit log, such as `party:oc:case+named`."""
        classes = "".join(c[0] for c in sorted(self.classes))
        return f"{self.role}:{classes}:{'+'.join(sorted(self.relations))}"


@dataclass(frozen=True, slots=True)
class Decision:
    """`visible`: may know that it exists. `rule` names the row that decided, `grant` or `none`."""

    allowed: bool
    visible: bool
    rule: str

    def require(self) -> None:
        """Nothing when allowed.

        Raises:
            NotFound: the caller may not know of it.
            Denied: may know of it, may not do this.
        """
        if not self.visible:
            raise NotFound("there is no such hearing or recording; check the address")
        if not self.allowed:
            raise Denied("this is not open to you; ask the court for access")


_CLASSES = {"o": AccessClass.OPEN, "c": AccessClass.CLOSED, "s": AccessClass.SEALED}


def _rule(role: Role, classes: str, relations: set[Relation], *actions: Action) -> Rule:
    return Rule(role, frozenset(actions), frozenset(_CLASSES[c] for c in classes), frozenset(relations))


_OWN = {Relation.NAMED, Relation.CASE}
_CONTROL = (Action.START, Action.STOP, Action.PAUSE, Action.MARK)
_CONTENT = (Action.VIEW, Action.READ)

# The closed table. A role without a row for an action does not do it at all; viewing by court
# administrators and archivists takes an emergency that a second person confirms, and is a grant then.
TABLE: tuple[Rule, ...] = (
    # The operator keeps the recording running in the rooms of the court: of a closed or sealed hearing
    # he or she sees the number and the levels, never words or picture.
    _rule(Role.OPERATOR, "ocs", {Relation.COURT}, Action.LIST, Action.LEVELS, *_CONTROL),
    _rule(Role.OPERATOR, "o", {Relation.COURT}, Action.DETAILS),
    _rule(Role.SECRETARY, "ocs", _OWN, Action.LIST, Action.DETAILS, Action.LEVELS, Action.READ_DRAFT),
    _rule(Role.SECRETARY, "ocs", _OWN, *_CONTENT, *_CONTROL),
    _rule(Role.SECRETARY, "ocs", _OWN, Action.SEAL),  # as the judge says; only the judge takes it back
    _rule(Role.SECRETARY, "ocs", _OWN, Action.EDIT, Action.CERTIFY),
    _rule(Role.SECRETARY, "oc", _OWN, Action.BUNDLE),
    _rule(Role.SECRETARY, "ocs", _OWN, Action.REQUESTS, Action.ARRANGE, Action.SUMMONED, Action.SUMMON),
    _rule(Role.JUDGE, "o", {Relation.ANY}, Action.LIST, Action.DETAILS),
    _rule(Role.JUDGE, "ocs", _OWN, Action.LIST, Action.DETAILS, Action.LEVELS, Action.READ_DRAFT),
    _rule(Role.JUDGE, "ocs", _OWN, *_CONTENT, Action.PAUSE, Action.BUNDLE),
    _rule(Role.JUDGE, "ocs", _OWN, Action.SEAL, Action.UNSEAL, Action.SIGN),
    _rule(Role.JUDGE, "ocs", _OWN, Action.REQUESTS, Action.GRANT, Action.CONFIRM, Action.AUDIT, Action.SUMMONED),
    # Of a sealed hearing a party named in it knows that it was held; to see it takes a grant.
    # A copy to take away takes a grant always.
    _rule(Role.PARTY, "oc", _OWN, Action.LIST, Action.DETAILS, Action.ASK, *_CONTENT),
    _rule(Role.PARTY, "s", {Relation.NAMED}, Action.LIST, Action.DETAILS, Action.ASK),
    _rule(Role.ADMIN, "oc", {Relation.COURT}, Action.LIST),
    _rule(Role.ADMIN, "o", {Relation.COURT}, Action.DETAILS, Action.LEVELS),
    _rule(Role.ADMIN, "oc", {Relation.COURT}, Action.EMERGENCY, Action.CONFIRM),
    # Custody, not reading: the archive hands records over whole. Signed protocols, which it may
    # read, are not the machine's text.
    _rule(Role.ARCHIVIST, "ocs", {Relation.ANY}, Action.LIST, Action.DETAILS, Action.BUNDLE),
    _rule(Role.ARCHIVIST, "ocs", {Relation.ANY}, Action.EMERGENCY, Action.CONFIRM),
    _rule(Role.AUDITOR, "ocs", {Relation.ANY}, Action.LIST, Action.DETAILS, Action.CONFIRM),
)


class CourtAction(StrEnum):
    """What can be done in one's own court that is not about one hearing; also the word in the audit log."""

    ROOMS = "rooms"  # the overview of its rooms, their alarms
    COMMAND = "rooms.command"  # record without a hearing of the list, check a room
    UNASSIGNED = "recordings.unassigned"  # list the recordings that no hearing has
    ASSIGN = "recordings.assign"  # give one to a hearing
    AGENTS = "agents"  # let courtroom machines in and out
    GLOSSARY = "glossary"  # the words that the recogniser expects
    USERS = "users"  # the accounts of its people
    COURTROOMS = "courtrooms"  # what rooms there are
    BUILD = "courtrooms.change"  # add, rename, close one
    ENTER = "cases.enter"  # a case with its first hearing, by hand
    OPINIONS = "opinions"  # counts and means of what people thought of recordings
    REMARKS = "opinions.remarks"  # what they wrote, without their names
    STATISTICS = "statistics"  # how recording goes, in counts


_STAFF = frozenset({Role.OPERATOR, Role.SECRETARY, Role.ADMIN})
COURT_TABLE: Mapping[CourtAction, frozenset[Role]] = {
    CourtAction.ROOMS: _STAFF,
    CourtAction.COMMAND: frozenset({Role.OPERATOR, Role.SECRETARY}),
    CourtAction.UNASSIGNED: _STAFF,
    CourtAction.ASSIGN: _STAFF,
    CourtAction.AGENTS: frozenset({Role.ADMIN}),
    CourtAction.GLOSSARY: frozenset({Role.SECRETARY, Role.ADMIN}),
    CourtAction.OPINIONS: frozenset({Role.JUDGE, Role.ADMIN}),
    CourtAction.REMARKS: frozenset({Role.ADMIN}),
    CourtAction.USERS: frozenset({Role.ADMIN}),
    CourtAction.COURTROOMS: _STAFF | {Role.JUDGE},
    CourtAction.BUILD: frozenset({Role.ADMIN}),
    CourtAction.ENTER: frozenset({Role.SECRETARY}),
    CourtAction.STATISTICS: frozenset({Role.ADMIN, Role.ARCHIVIST, Role.AUDITOR}),
}
# Who of these does so for every court, as they list every court's hearings.
EVERYWHERE: Mapping[CourtAction, frozenset[Role]] = {
    CourtAction.STATISTICS: frozenset({Role.ARCHIVIST, Role.AUDITOR}),
}


class Reach(StrEnum):
    """How far somebody reads the audit log."""

    ALL = "all"
    CASES = "cases"  # what was done with the hearings of one's own cases, by whomever
    OWN = "own"  # what one has done oneself, with what one may know of


# Roles that are not here do not read it: those who run a court's machines and accounts are whom it watches.
AUDIT_TABLE: Mapping[Role, Reach] = {
    Role.AUDITOR: Reach.ALL,
    Role.JUDGE: Reach.CASES,
    Role.PARTY: Reach.OWN,
    Role.ARCHIVIST: Reach.OWN,
}

# A grant (a court's order for one person) carries these with whatever it names.
GRANT_CARRIES = frozenset({Action.LIST, Action.DETAILS})
GRANTABLE = frozenset({Action.VIEW, Action.READ, Action.BUNDLE})


@cache
def rules_for(role: Role, action: Action) -> tuple[Rule, ...]:
    """The rows that let `role` do `action`; the SQL filter is built from them."""
    return tuple(rule for rule in TABLE if rule.role is role and action in rule.actions)


def decide(
    role: Role,
    relations: AbstractSet[Relation],
    access_class: AccessClass,
    action: Action,
    granted: AbstractSet[Action] = frozenset(),
) -> Decision:
    """Whether a person of `role`, tied to a hearing by `relations`, may do `action`.

    `granted` are the actions of grants to this person that hold now; only GRANTABLE ones count.
    ANY need not be in `relations`.
    """
    order = granted & GRANTABLE
    if action in order or (order and action in GRANT_CARRIES):
        return Decision(True, True, "grant")
    rule = _first(role, relations, access_class, action)
    if rule is not None:
        return Decision(True, True, rule.name)
    visible = bool(order) or _first(role, relations, access_class, Action.LIST) is not None
    return Decision(False, visible, "none")


def clearance(
    role: Role,
    relations: AbstractSet[Relation],
    access_class: AccessClass,
    action: Action,
    granted: AbstractSet[Action] = frozenset(),
) -> AccessClass | None:
    """The highest class of span, from the hearing's on, with which `action` is allowed; None when not at all.

    Spans of a recording may have a higher class than its hearing (archive.domain.marks). A grant opens a hearing as it
    is and nothing above it: it may be older than the mark that keeps a span from others.
    """
    if not decide(role, relations, access_class, action, granted).allowed:
        return None
    above = list(AccessClass)[list(AccessClass).index(access_class) + 1 :]
    through = [one for one in above if _first(role, relations, one, action) is not None]
    return through[-1] if through else access_class


def decide_in_court(role: Role, own: bool, action: CourtAction) -> Decision:
    """Whether a person of `role` may do `action` in a court; `own` = it is where he or she works.

    What belongs to another court does not exist for anybody but those of EVERYWHERE.
    """
    known = own or role in EVERYWHERE.get(action, frozenset())
    allowed = known and role in COURT_TABLE[action]
    return Decision(allowed, known, f"{role}:court" if allowed else "none")


def _first(role: Role, relations: AbstractSet[Relation], access_class: AccessClass, action: Action) -> Rule | None:
    held = relations | {Relation.ANY}
    fitting = (rule for rule in rules_for(role, action) if access_class in rule.classes and rule.relations & held)
    return next(fitting, None)
