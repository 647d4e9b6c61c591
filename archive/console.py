"""The console command `tyndau`: sub-commands by entry point, errors as one line, exit codes 0, 1, 2."""

from __future__ import annotations

import os
import sys
from importlib.metadata import EntryPoint, entry_points

import click
from pydantic import ValidationError

from archive.domain.errors import Misconfigured, TyndauError

GROUP = "tyndau.commands"


class Commands(click.Group):
    """Sub-commands from installed entry points, imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(entry_points(group=GROUP).names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None where its optional packages are missing: --help lists what can run here."""
        try:
            return self._find(cmd_name)
        except Misconfigured:
            return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        self._find(args[0])
        return super().resolve_command(ctx, args)

    def _find(self, name: str) -> click.Command | None:
        found = next(iter(entry_points(group=GROUP, name=name)), None)
        return _load(found) if found else None


def _load(entry: EntryPoint) -> click.Command:
    try:
        command = entry.load()
    except ModuleNotFoundError as error:
        extra = "recorder" if entry.value.startswith("recorder") else "demo"
        raise Misconfigured(
            f"'tyndau {entry.name}' needs the package {error.name}; install it with: pip install 'tyndau[{extra}]'"
        ) from error
    if not isinstance(command, click.Command):
        raise TypeError(f"entry point {entry.name} is not a command")
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--config", type=click.Path(), help="Settings file (TOML); see config/tyndau.example.toml.")
@click.version_option(package_name="tyndau")
def tyndau(config: str | None) -> None:
    """Record court hearings, keep them provable, find what was said.

    Example: tyndau demo
    """
    if config:
        os.environ["TYNDAU_CONFIG"] = config


def main() -> None:
    """Run the command line of this process and exit: 0 done, 1 failed, 2 used wrongly."""
    try:
        code = tyndau.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TyndauError as error:
        _fail(str(error))
    except ValidationError as error:
        first = error.errors()[0]
        _fail(f"setting {'.'.join(map(str, first['loc']))}: {first['msg']}; mend it in the settings", 2)
    except FileNotFoundError as error:
        _fail(f"{error.filename or error} is not there; check the path")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int = 1) -> None:
    click.echo(f"tyndau: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
