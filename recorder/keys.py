"""Where this machine's signing key lies: never beside the evidence."""

from __future__ import annotations

import os
from pathlib import Path

from archive.domain.errors import Misconfigured
from archive.signing import Signer
from config.settings import Agent, Settings


def key_path(settings: Settings) -> Path:
    """The key file of the settings when it was set or is there, else one in the user's data folder."""
    return key_path_of(settings.agent)


def key_path_of(agent: Agent) -> Path:
    """The same from the agent's own settings."""
    named = agent.key_file
    if "key_file" in agent.model_fields_set or os.access(named, os.R_OK):
        return named
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "tyndau" / "agent.key"


def load_signer(settings: Settings) -> Signer:
    """This machine's key; made at the first use.

    Raises:
        Misconfigured: it cannot be read or written.
    """
    return Signer.load_or_create(key_path(settings))


def signer_of(settings: Settings, key_sha256: str) -> Signer:
    """This machine's key, if it is the one a recording was begun with.

    Raises:
        Misconfigured: it is another one.
    """
    path = key_path(settings)
    if path.exists() and (signer := Signer.load_or_create(path)).public().sha256() == key_sha256:
        return signer
    raise Misconfigured(
        f"the recording was begun with another key than {path}; close it on its own machine or set agent.key_file"
    )
