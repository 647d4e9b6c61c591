"""Who was let in where: the access test's own answers as a table.

    python -m tests.api.matrix [--markdown]

Runs tests/api/test_access.py and prints how it was answered, not what the access table says. Fails when it fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive.domain.access import AccessClass, Role
from tests.api.answers import ELSEWHERE, FILE, HERE, Cell, read

TEST = "tests/api/test_access.py"
TIES = ("own", "case", "court", "other")
ROLES = tuple(role.value for role in Role)
NAME, NOBODY, ROLE = 45, 4, 15  # columns; all of it fits into 160
LEGEND = """\
+ let in (2xx, or an answer about something else)    - 403: may know of it, may not do it    . 404: may not know of it
! 401: nobody is signed in    ? 404 in either case: there is nothing of the kind    blank: not asked
A hearing's columns: one in which one is named (own), another of its case (cas), of the same court (crt), of another
court (oth); each open, closed, sealed (ocs). Otherwise: what belongs to one's own court, and to another one."""
SAID = {"+": "let in", "-": "403", ".": "404", "!": "401", "?": "404 in either case"}


@dataclass(frozen=True, slots=True)
class Row:
    """A route; `cells` by who and place, or why there are none."""

    tag: str
    method: str
    path: str
    cells: Mapping[tuple[str, str], str]
    why: str

    @property
    def name(self) -> str:
        """As short as it can be understood."""
        path = self.path.removeprefix("/api/v1")
        for name in ("recording", "hearing", "courtroom", "request", "command", "export"):
            path = path.replace(f"{{{name}}}", "{}")
        return f"{self.method.replace('DELETE', 'DEL'):<5}{path}"

    def of(self, role: str) -> str:
        """What `role` was answered."""
        about_hearing = any("/" in place for _, place in self.cells)
        if not about_hearing:
            return " ".join(self.cells.get((role, place)) or self.cells.get((role, ""), " ") for place in self.places)
        return " ".join(
            "".join(self.cells.get((role, f"{tie}/{access_class}"), " ") for access_class in AccessClass)
            for tie in TIES
        )

    @property
    def places(self) -> Sequence[str]:
        return (HERE, ELSEWHERE) if any(place == ELSEWHERE for _, place in self.cells) else (HERE,)


def rows(routes: Iterable[tuple[str, str, str, str]], cells: Iterable[Cell]) -> Iterator[Row]:
    """The routes by tag; one that was asked in several ways (`path (way)`) is a row for each."""
    asked: dict[tuple[str, str], dict[tuple[str, str], str]] = defaultdict(dict)
    for cell in cells:
        asked[cell.method, cell.path][cell.who, cell.place] = cell.said
    for method, path, tag, why in sorted(routes, key=lambda one: one[2]):
        found = asked.get((method, path), {})
        ways = {key: told for key, told in asked.items() if key[0] == method and key[1].startswith(f"{path} (")}
        if not ways or found.keys() - {("nobody", "")}:
            yield Row(tag, method, path, found, why)
        for (_, way), told in ways.items():
            yield Row(tag, method, way, {**found, **told}, why)


def as_text(found: Sequence[Row]) -> Iterator[str]:
    """The table in 160 columns."""
    yield LEGEND
    yield ""
    yield " " * (NAME + NOBODY) + " ".join(f"{role:<{ROLE}}" for role in ROLES).rstrip()
    yield f"{'':<{NAME}}{'any':<{NOBODY}}" + " ".join(f"{'own cas crt oth':<{ROLE}}" for _ in ROLES)
    yield f"{'':<{NAME}}{'one':<{NOBODY}}" + " ".join(f"{'ocs ocs ocs ocs':<{ROLE}}" for _ in ROLES)
    tag = ""
    for row in found:
        if row.tag != tag:
            tag = row.tag
            yield ""
            yield tag.upper()
        nobody = row.cells.get(("nobody", ""), " ")
        told = " ".join(f"{row.of(role):<{ROLE}}" for role in ROLES) if _tells(row) else row.why
        yield f"{row.name:<{NAME}}{nobody:<{NOBODY}}{told}".rstrip()


def as_markdown(found: Sequence[Row]) -> Iterator[str]:
    """The same as tables of Markdown, one a tag."""
    yield " · ".join(f"`{sign}` {words}" for sign, words in SAID.items())
    yield ""
    yield "Four ties (named, case, court, other court), each open, closed, sealed; else own court, other court."
    tag = ""
    for row in found:
        if row.tag != tag:
            tag = row.tag
            yield ""
            yield f"### {tag}"
            yield ""
            yield f"| route | nobody | {' | '.join(ROLES)} |"
            yield "|---" * (len(ROLES) + 2) + "|"
        cells = [row.cells.get(("nobody", ""), "")]
        cells += [row.of(role).strip() for role in ROLES] if _tells(row) else [row.why] + [""] * (len(ROLES) - 1)
        yield (
            f"| `{row.name}` | "
            + " | ".join(f"`{cell}`" if cell in SAID or " " in cell else cell for cell in cells)
            + " |"
        )


def _tells(row: Row) -> bool:
    """Whether people of some role were asked."""
    return any(who != "nobody" for who, _ in row.cells)


def main() -> int:
    """Run the test, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true", help="tables of Markdown")
    form = as_markdown if parser.parse_args().markdown else as_text
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answers.json"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", TEST]
        done = subprocess.run(command, env={**os.environ, FILE: str(file)}, stdout=sys.stderr, check=False)
        if not file.exists():
            print("the access test wrote nothing; see above", file=sys.stderr)
            return 1
        print("\n".join(form(list(rows(*read(file))))))
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
