"""Known weaknesses of what this program is built on: asks PyPI's and npm's advisories about each pinned version.

Run by `make audit` in an environment with pip-audit. Exit 0: none is known, or nobody could be asked, which is said
loudly; 1: there is one, which is named.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 240.0


def main() -> int:
    weak = [line for ask in (of_pypi, of_npm) for line in ask()]
    print("\n".join(weak) if weak else "audit: nothing is known against what could be asked about")
    return 1 if weak else 0


def of_pypi() -> list[str]:
    """A line for each weakness of a package of constraints.txt."""
    command = [sys.executable, "-m", "pip_audit", "-r", "constraints.txt", "--no-deps", "--disable-pip", "-f", "json"]
    found = answer(command)
    if found is None:
        return unasked("PyPI", "does not answer")
    dependencies = found["dependencies"]
    skipped = [one["name"] for one in dependencies if "skip_reason" in one]
    if skipped:
        unasked("PyPI", f"{len(skipped)} of {len(dependencies)} packages could not be looked up: {skipped[0]}, …")
    return [
        f"{one['name']} {one['version']}: {bug['id']}, mended in {', '.join(bug['fix_versions']) or 'no version yet'}"
        for one in dependencies
        for bug in one.get("vulns", ())
    ]


def of_npm() -> list[str]:
    """A line for each weakness of a package of the web pages."""
    found = answer([str(ROOT / ".venv" / "bin" / "python"), "hatch_build.py", "audit", "--json"])
    if found is None or "vulnerabilities" not in found:
        return unasked("npm", "does not answer")
    return [f"{name}: {bug['severity']}, {bug['range']}" for name, bug in found["vulnerabilities"].items()]


def answer(command: list[str]) -> dict[str, Any] | None:
    """What a program says as JSON; None where it says none."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        said: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    return said


def unasked(whom: str, why: str) -> list[str]:
    """Say so; not asking is no finding."""
    print(f"################ {whom}'s ADVISORIES WERE NOT ASKED: {why} ################")
    return []


if __name__ == "__main__":
    sys.exit(main())
