"""What recognises a browser that has begun to sign in elsewhere, until it comes back: a secret in a cookie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request, Response

from api.services import Services


@dataclass(frozen=True, slots=True)
class FlowCookie:
    """The cookie of one way in, by its name; it lives as long as one may be under way."""

    name: str
    lasts: timedelta

    def keep(self, services: Services, response: Response, secret: str) -> None:
        """Give the browser its secret."""
        response.set_cookie(
            self._named(services),
            secret,
            max_age=int(self.lasts.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=services.secure,
            path="/",
        )

    def secret(self, services: Services, request: Request) -> str:
        """What the browser brings; empty without one."""
        return request.cookies.get(self._named(services), "")

    def drop(self, services: Services, response: Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(
            self._named(services), path="/", secure=services.secure, httponly=True, samesite="strict"
        )

    def _named(self, services: Services) -> str:
        return f"__Host-{self.name}" if services.secure else self.name


def address_of(request: Request) -> str:
    """From where a request comes."""
    return request.client.host if request.client else "unknown"
