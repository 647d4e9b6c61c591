"""The way out to the provider: only to its own hosts."""

from __future__ import annotations

from urllib.parse import urlsplit

from archive.door import Door, trust_of
from config.clock import Clock
from config.settings import Oidc, is_loopback


def door_of(settings: Oidc, clock: Clock) -> Door:
    """The door to the provider of the settings.

    Raises:
        Misconfigured: `oidc.ca_file` cannot be read.
    """
    trust = trust_of(settings.ca_file, "oidc.ca_file")
    return Door(lambda address: may_be_asked(address, settings), trust, settings.timeout_s, clock)


def may_be_asked(address: str, settings: Oidc) -> bool:
    """Whether an address is the issuer's own or of the hosts set beside it; plain http is for loopback alone."""
    issuer, url = urlsplit(settings.issuer), urlsplit(address)
    try:
        same = (url.scheme, url.hostname, url.port) == (issuer.scheme, issuer.hostname, issuer.port)
    except ValueError:  # no port that could be
        return False
    if same:
        return url.scheme == "https" or is_loopback(url)
    return url.scheme == "https" and url.netloc in settings.hosts
