"""Changes that are made to what was read: an ETag with each reading, If-Match with each change (RFC 9110, 13.1.1)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Response

from api.problems import Outdated, Unconditional

IfMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag that came with what is changed.")]


def tell(response: Response, version: str) -> None:
    """Give a reply its ETag."""
    response.headers["ETag"] = f'"{version}"'


def require(given: str | None, version: str) -> None:
    """Nothing when the change is meant for this version.

    Raises:
        Unconditional: it says for none.
        Outdated: it is meant for another one.
    """
    if given is None:
        raise Unconditional("the change does not say what it changes; send the ETag as If-Match")
    if not names(given, version):
        raise Outdated("somebody has changed it meanwhile; load it again")


def names(given: str, version: str) -> bool:
    """Whether a list of tags has this version's. A proxy that compresses makes them weak, though it is the version."""
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return bool(tags & {"*", f'"{version}"'})
