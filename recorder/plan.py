"""From what the command line or the settings name to sources that can be recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from archive.domain.errors import BadInput, Unavailable
from archive.domain.ids import check_name
from recorder.address import Address, parse_address
from recorder.source import Planned
from recorder.streams import describe, look


def plan_sources(
    addresses: Mapping[str, str],
    channels: Mapping[str, Sequence[str]],
    program: str,
    warn: Callable[[str], None],
) -> list[Planned]:
    """The sources in the order given. One that does not answer is planned all the same and `warn` is told.

    Raises:
        BadInput: a wrong address, a file or graph that cannot be read, wrong names of channels.
    """
    plan_names(addresses, channels)
    parsed = [parse_address(name, text) for name, text in addresses.items()]
    with ThreadPoolExecutor(max_workers=8) as pool:  # dead cameras are waited for together, not one after another
        return list(pool.map(lambda address: _plan(address, channels.get(address.name, ()), program, warn), parsed))


def plan_names(addresses: Mapping[str, str], channels: Mapping[str, Sequence[str]]) -> None:
    """Check the names of sources and channels, without opening anything.

    Raises:
        BadInput: a name that is no name, stands twice, or belongs to no source.
    """
    for name in addresses:
        check_name(name, "source")
    unknown = channels.keys() - addresses.keys()
    if unknown:
        raise BadInput(f"--channels names {', '.join(sorted(unknown))}, which is not a source; name a source first")
    for name, names in channels.items():
        _check_channels(name, names)


def _plan(address: Address, names: Sequence[str], program: str, warn: Callable[[str], None]) -> Planned:
    try:
        streams = look(address, program, names)
    except Unavailable as error:
        warn(str(error))
        streams = None
    try:
        return Planned(address, describe(address, streams, names), streams)
    except BadInput as error:
        if not address.remote:
            raise
        warn(str(error))  # a camera that changed is recorded all the same, under plain names
        return Planned(address, describe(address, streams, ()), streams)


def _check_channels(name: str, names: Sequence[str]) -> None:
    for channel in names:
        check_name(channel, f"channel of {name}")
    if len(set(names)) < len(names):
        raise BadInput(f"--channels {name} names a channel twice; each microphone needs its own name")
