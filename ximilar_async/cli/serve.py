"""`emulator`: a local service that stays until it is told to go."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

import asyncio
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from typer import Argument, Option

from .connect import open_emulator
from .failures import UsageError
from .options import Output
from .screen import put, put_json, say
from .signals import Signals, run

EXAMPLES: Final = """
[bold]Examples[/bold]
  ximilar-async emulator data/
  ximilar-async emulator --port 0 --latency 0.05 --capacity 1000
  ximilar-async emulator --faults faults.toml
  ximilar-async emulator data/ --url-images fetch --url-allow https://images.example.com

It shows a line for another shell, after which every command there (and every client that reads \
XIMILAR_URL) talks to it.
"""

PORT: Final = 8900

_SERVER: Final = "Server"
_BEHAVIOUR: Final = "Behaviour"


def emulator(
    folder: Annotated[
        Path | None,
        Argument(metavar="DIR", help="Folder that keeps the collections; else in memory."),
    ] = None,
    *,
    host: Annotated[
        str, Option(metavar="HOST", help="Where to listen.", rich_help_panel=_SERVER)
    ] = "127.0.0.1",
    port: Annotated[
        int,
        Option(
            metavar="PORT", min=0, max=65535, help="0 for any free one.", rich_help_panel=_SERVER
        ),
    ] = PORT,
    token: Annotated[
        list[str],
        Option(
            metavar="TOKEN",
            help="A made-up token to take, may be repeated; without it any is taken. A real one "
            "has no place on a command line.",
            rich_help_panel=_SERVER,
        ),
    ] = [],  # noqa: B006 - Typer's default of a list; never changed
    latency: Annotated[
        float,
        Option(
            metavar="SECONDS", help="Wait so long before each answer.", rich_help_panel=_BEHAVIOUR
        ),
    ] = 0.0,
    capacity: Annotated[
        int | None,
        Option(
            metavar="N", help="Most records in a collection; then 412.", rich_help_panel=_BEHAVIOUR
        ),
    ] = None,
    rate_limit: Annotated[
        float | None,
        Option(
            metavar="N", help="Most requests in a second; then 429.", rich_help_panel=_BEHAVIOUR
        ),
    ] = None,
    mirror_status: Annotated[
        bool,
        Option(
            "--mirror-status",
            metavar="",
            help="Answer with an HTTP status like the answer's own code, where that may be.",
            rich_help_panel=_BEHAVIOUR,
        ),
    ] = False,
    dialect: Annotated[
        Literal["examples", "tables"],
        Option(help="Which part of the documents to follow.", rich_help_panel=_BEHAVIOUR),
    ] = "examples",
    url_images: Annotated[
        Literal["derive", "fetch", "refuse"],
        Option(
            help="For a record with nothing but an address: take a descriptor of the address "
            "itself, fetch the image, or refuse it.",
            rich_help_panel=_BEHAVIOUR,
        ),
    ] = "derive",
    url_allow: Annotated[
        list[str],
        Option(
            metavar="ORIGIN",
            help="With --url-images fetch: where images may be fetched from, may be repeated.",
            rich_help_panel=_BEHAVIOUR,
        ),
    ] = [],  # noqa: B006 - as above
    faults: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="What goes wrong and when, as .toml or .json; see the README's emulator.",
            rich_help_panel=_BEHAVIOUR,
        ),
    ] = None,
    files_root: Annotated[
        Path | None,
        Option(
            metavar="FOLDER",
            help="Folder below which _file of a record may be read; else none is.",
            rich_help_panel=_BEHAVIOUR,
        ),
    ] = None,
    output: Output,
) -> int:
    """Run a local Visual Search service until Ctrl-C: real search on real images, no token."""
    if (url_images == "fetch") != bool(url_allow):
        raise UsageError(
            "--url-images fetch and --url-allow belong together: images are fetched from the named "
            "origins only, such as --url-allow https://images.example.com"
        )
    settings = {
        "path": folder,
        "host": host,
        "port": port,
        "tokens": token or None,
        "latency": latency,
        "capacity": capacity,
        "rate_limit": rate_limit,
        "mirror_status": mirror_status,
        "dialect": dialect,
        "faults": None if faults is None else _read_faults(faults),
        "url_images": url_images,
        "url_allow": url_allow,
        "files_root": files_root,
    }
    return run(lambda signals: _serve(signals, settings, output))


async def _serve(signals: Signals, settings: dict[str, Any], output: Output) -> int:
    gone = asyncio.Event()
    async with open_emulator(**settings) as running:
        with signals.stopping(lambda _: gone.set()):
            _announce(running.url, settings, output)
            await gone.wait()
    if sys.stderr.isatty():
        sys.stderr.write("\n")  # behind the terminal's own ^C
    plan = settings["faults"]
    hits = ", ".join(f"{count} {name}" for name, count in plan.hits.items()) if plan else ""
    say("the emulator is closed" + (f"; faults: {hits}" if hits else ""), output)
    return 0


def _read_faults(file: Path) -> Any:
    """Return the plan in a file.

    Raises:
        UsageError: it makes no sense, or the emulator's extra is not installed.
        OSError: it cannot be read.
    """
    try:
        from ximilar_async.emulator import load_faults  # noqa: PLC0415 - an extra

        return load_faults(file)
    except (ImportError, ValueError) as error:
        raise UsageError(str(error)) from error


def _announce(url: str, settings: dict[str, Any], output: Output) -> None:
    tokens = settings["tokens"]
    if output.json:
        put_json({"url": url, "tokens": tokens})
    else:
        kept = f"in {settings['path']}" if settings["path"] else "in memory"
        put(f"The emulator listens at {url}, its collections are {kept}.")
        put("Ctrl-C ends it. For another shell:")
        put(f"  {export_line(url, tokens)}")
    sys.stdout.flush()


def export_line(url: str, tokens: list[str] | None) -> str:
    """Return the line that makes a shell's commands use an emulator.

    Example:
        >>> export_line("http://127.0.0.1:8900", None)
        'export XIMILAR_URL=http://127.0.0.1:8900 XIMILAR_TOKEN=any'
    """
    token = tokens[0] if tokens else "any"
    return f"export XIMILAR_URL={shlex.quote(url)} XIMILAR_TOKEN={shlex.quote(token)}"
