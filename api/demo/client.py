"""What a person does in the demo, over the same HTTP API that the pages use."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from archive.domain.errors import Unavailable


class Client:
    """A signed-in person."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/api/v1", timeout=30.0, headers={"Origin": url})
        me = self._answer(self._http.post("/session", json={"username": username, "password": password}))
        self._http.headers["X-CSRF-Token"] = me["csrf_token"]

    def get(self, path: str, **query: str) -> Any:
        """The JSON at `path`."""
        return self._answer(self._http.get(path, params=query))

    def post(self, path: str, **body: Any) -> Any:
        """The JSON answer to `body`."""
        return self._answer(self._http.post(path, json=body))

    def command(self, hearing: str, kind: str) -> str:
        """Give the courtroom's agent a command; the command's id."""
        return str(self.post(f"/hearings/{hearing}/commands", kind=kind)["id"])

    def download(self, path: str, target: Path) -> Path:
        """Save what is at `path`."""
        with self._http.stream("GET", path) as answer, target.open("wb") as file:
            if answer.status_code != httpx.codes.OK:
                answer.read()
            self._check(answer)
            for chunk in answer.iter_bytes():
                file.write(chunk)
        return target

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def _answer(self, answer: httpx.Response) -> Any:
        self._check(answer)
        return answer.json()

    @staticmethod
    def _check(answer: httpx.Response) -> None:
        if answer.is_error:
            raise Unavailable(
                f"the server answered {answer.status_code} to {answer.request.url.path}: {answer.text:.200}"
            )
