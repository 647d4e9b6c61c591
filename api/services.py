"""What the routes work with, built once per process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api import terms
from api.accel import Accel
from api.gauges import Gauges
from api.meters import Meters
from api.terms import Terms
from api.viewings import Viewings
from api.watching import Watchers
from archive.db.playing import Playing
from archive.db.session import Sessions, conninfo, make_sessions
from archive.db.sessions import Limits
from archive.domain.access import Role
from archive.doorkeeper import Doorkeeper
from archive.factors import Factors
from archive.giving import Giving
from archive.passkeys import site_of
from archive.provider.client import Provider
from archive.provider.entrance import Entrance
from archive.publish.live import Live
from archive.second_factor import KEY_FILE, Vault
from archive.signature.checker import Checker
from archive.signature.entrance import SignatureEntrance
from archive.signature.external import HttpVerifier
from archive.signature.own import OwnVerifier
from archive.signature.trust import Trust
from archive.storage.port import ObjectStore
from archive.storage.s3 import open_store
from archive.throttle import Throttle
from config.clock import Clock, SystemClock
from config.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """`closing` is set when the server begins to stop: streams end at it."""

    settings: Settings
    clock: Clock
    sessions: Sessions
    doorkeeper: Doorkeeper
    giving: Giving
    factors: Factors
    evidence: ObjectStore
    derived: ObjectStore
    watchers: Watchers
    viewings: Viewings
    live: Live
    playing: Playing
    accel: Accel
    codes: Throttle  # who tries enrolment codes, by address
    terms: Terms  # of viewing
    entrance: Entrance | None  # by the provider; None where none is set
    signature: SignatureEntrance | None  # by an electronic signature; None without roots
    meters: Meters
    gauges: Gauges | None  # None where nobody may read the metrics
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def secure(self) -> bool:
        """Whether people reach us by https only."""
        return self.settings.api.public_url.startswith("https://")


def build(settings: Settings, clock: Clock | None = None) -> Services:
    """The services of one process; nothing is connected yet.

    Raises:
        Misconfigured: no database or object store is set, or a file of certificates cannot be read.
    """
    clock = clock or SystemClock()
    sessions = make_sessions(settings)
    meters = Meters()
    limits = Limits(
        idle=timedelta(minutes=settings.api.session_idle_minutes),
        absolute=timedelta(hours=settings.api.session_hours),
        second_factor=frozenset(map(Role, settings.api.second_factor_roles)),
        terms=(viewing_terms := terms.load(settings.api.terms_dir)).version,
        terms_for=frozenset(map(Role, settings.api.terms_roles)),
    )
    vault = cache(lambda: Vault.load_or_create(settings.data_dir / KEY_FILE))
    doorkeeper = Doorkeeper(sessions, clock, limits, attempts=settings.api.sign_in_attempts)
    giving = Giving(doorkeeper, sessions, clock, vault, site_of(settings.api.public_url))
    evidence = open_store(settings.storage, settings.storage.evidence_bucket)
    derived = open_store(settings.storage, settings.storage.derived_bucket)
    return Services(
        settings=settings,
        clock=clock,
        sessions=sessions,
        doorkeeper=doorkeeper,
        giving=giving,
        factors=Factors(doorkeeper, giving, sessions, clock, vault, limits),
        evidence=evidence,
        derived=derived,
        watchers=Watchers(conninfo(settings)),
        viewings=Viewings(clock),
        live=Live(sessions, evidence, clock, settings.api.live_cache_mb << 20),
        playing=Playing(conninfo(settings), doorkeeper.earliest, limits),
        accel=Accel(settings.api, derived, clock, meters.left_to_nginx),
        codes=Throttle(settings.api.sign_in_attempts, clock),
        terms=viewing_terms,
        entrance=_entrance(settings, sessions, clock, doorkeeper),
        signature=_signature(settings, sessions, clock, vault, doorkeeper),
        meters=meters,
        gauges=Gauges(settings) if settings.metrics.loopback or settings.metrics.token_file else None,
    )


def _entrance(settings: Settings, sessions: Sessions, clock: Clock, doorkeeper: Doorkeeper) -> Entrance | None:
    if not settings.oidc.issuer:
        return None
    provider = Provider(settings.oidc, settings.api.public_url, clock)
    return Entrance(sessions, clock, provider, doorkeeper, settings.api.sign_in_attempts)


def _signature(
    settings: Settings, sessions: Sessions, clock: Clock, vault: Callable[[], Vault], doorkeeper: Doorkeeper
) -> SignatureEntrance | None:
    section, api = settings.signature, settings.api
    if section.roots_file is None:
        return None
    gost = HttpVerifier(section, clock) if section.verifier_url else None
    checker = Checker(OwnVerifier(Trust(section)), gost)
    return SignatureEntrance(sessions, clock, checker, vault, doorkeeper, api.public_url, api.sign_in_attempts)


async def _services(connection: HTTPConnection) -> Services:
    """No thread is needed for this: it is asked at every request."""
    services: Services = connection.app.state.services
    return services


Use = Annotated[Services, Depends(_services)]
