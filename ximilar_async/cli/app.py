"""The command line: its commands, and what happens around each of them."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from ximilar_async._version import __version__
from ximilar_async.bulk import ExitCode

from . import (
    again,
    bench,
    changes,
    demo,
    duplicates,
    export,
    info,
    insert,
    replay,
    search,
    serve,
    sync,
)
from .argv import swallowed, with_emulator_value
from .commands import as_command
from .screen import complain
from .sync_options import for_sync

NAME: Final = "ximilar-async"

EPILOG: Final = """
[bold]Try it without a token[/bold]
  ximilar-async demo
  ximilar-async insert photos/ -c c1 --emulator data/
  ximilar-async search boot.jpg -c c1 --emulator data/

[bold]With one[/bold]
  export XIMILAR_TOKEN=…
  ximilar-async insert photos/ -c shoes-id -s fashion
  ximilar-async sync catalog.jsonl -c shoes-id --mode mirror --dry-run

Options stand behind the command. Data goes to stdout, everything else to stderr.
"""

app = typer.Typer(
    name=NAME,
    epilog=EPILOG,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - as Typer calls it
    if wanted:
        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Fill and search image collections of Ximilar Visual Search, or of a local emulator."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


app.command(epilog=insert.EXAMPLES)(as_command(insert.insert))
app.command(epilog=sync.EXAMPLES)(for_sync(as_command(sync.sync)))
app.command(epilog=changes.UPDATE_EXAMPLES)(as_command(changes.update))
app.command(epilog=changes.DELETE_EXAMPLES)(as_command(changes.delete))
app.command(epilog=replay.EXAMPLES)(as_command(replay.replay))
app.command(epilog=search.EXAMPLES)(as_command(search.search))
app.command(epilog=duplicates.EXAMPLES)(as_command(duplicates.duplicates))
app.command(epilog=info.COUNT_EXAMPLES)(as_command(info.count))
app.command(epilog=info.PING_EXAMPLES)(as_command(info.ping))
app.command(epilog=info.ACCOUNT_EXAMPLES)(as_command(info.account))
app.command(epilog=export.EXAMPLES)(as_command(export.export))
app.command(epilog=serve.EXAMPLES)(as_command(serve.emulator))
app.command(epilog=demo.EXAMPLES)(as_command(demo.demo))
app.command(epilog=bench.EXAMPLES)(as_command(bench.bench))


def run(words: Sequence[str]) -> int:
    """Run a command line and return its exit code; what is wrong with it is told on stderr.

    Args:
        words: The command line without the program's name.
    """
    again.TYPED.set(tuple(words))
    try:
        code = app(args=with_emulator_value(words), prog_name=NAME, standalone_mode=False)
    except typer.TyperException as error:
        complain("error", _usage(error, words))
        return error.exit_code
    except typer.Abort:
        return ExitCode.INTERRUPTED
    return int(code or 0)


def _usage(error: typer.TyperException, words: Sequence[str]) -> str:
    """Return what is wrong with a command line, and where to read on."""
    message = error.format_message().rstrip(".")
    # What checks values speaks of errors and inputs; people gave a value.
    message = message.replace(": Value error, ", ": ").replace(": Input should be", ": it must be")
    folder = swallowed(words)
    if message.startswith("Missing argument") and folder is not None:
        message += (
            f"; --emulator took {folder!r} as its folder: write --emulator= for one in memory"
        )
    context = getattr(error, "ctx", None)
    command = NAME if context is None else context.command_path
    return f"{message}; see {command} --help"
