"""Options that several commands share: each declared once, as a field of a frozen value.

A command takes such a value as one parameter; `commands.as_command` shows Typer its fields.
"""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

import math
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from attrs import field, fields, frozen
from typer import BadParameter, Option

from ximilar_async._config import Limits, Service

ACTION: Final = "What to do"
KEPT: Final = "What is kept of the run"
WHERE: Final = "Where"
HOW: Final = "How"
OUTPUT: Final = "Output"


def read_concurrency(text: str) -> int | Literal["auto"]:
    """Return the number of requests at once, or "auto".

    Raises:
        BadParameter: it is neither.

    Example:
        >>> read_concurrency("8"), read_concurrency("auto")
        (8, 'auto')
    """
    if text == "auto":
        return "auto"
    if not text.isascii() or not text.isdigit() or not int(text):
        raise BadParameter(f"give a whole number of at least 1, or auto, not {text!r}")
    return int(text)


def read_positive(text: str | float) -> float:
    """Return a number above 0; `inf` is one.

    Raises:
        BadParameter: it is none.

    Example:
        >>> read_positive("2.5")
        2.5
    """
    number = _number(text)
    if not number > 0:  # NaN is not above 0 either
        raise BadParameter(f"give a number above 0, not {text!r}")
    return number


def read_rate(text: str | float) -> float:
    """Return a finite number above 0.

    Raises:
        BadParameter: it is none.
    """
    number = read_positive(text)
    if math.isinf(number):
        raise BadParameter("give a finite number; without the option as many as fit are sent")
    return number


def read_distance(text: str | float) -> float:
    """Return a finite number that is not below 0.

    Raises:
        BadParameter: it is none.
    """
    number = _number(text)
    if not 0 <= number < math.inf:
        raise BadParameter(f"give a distance of at least 0, such as 5, not {text!r}")
    return number


def read_budget(text: str) -> int | float:
    """Return a number of records, or the share that a text such as "5%" means.

    Raises:
        BadParameter: it is neither.

    Example:
        >>> read_budget("20"), read_budget("5%")
        (20, 0.05)
    """
    digits = text.removesuffix("%")
    if text.isascii() and text.isdigit():
        return int(text)
    if digits != text and 0 < (share := _number(digits)) < 100:  # noqa: PLR2004 - per cent
        return share / 100
    raise BadParameter(f"give a whole number of records or a share such as 5%, not {text!r}")


def _number(text: str | float) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadParameter(f"give a number, not {text!r}") from None


def words_of(said: Any, *names: str) -> list[str]:
    """Return what was said by options that are declared as fields, as it is typed.

    Args:
        said: A value of a class of such fields, each called as its option is.
        names: Fields that are wanted; all without any.

    Example:
        >>> words_of(Access(rate=2.0, emulator="data"))
        ['--emulator', 'data', '--rate', '2']
    """
    words: list[str] = []
    for one in fields(type(said)):
        value = getattr(said, one.name)
        if value != one.default and (one.name in names or not names):
            for each in value if isinstance(value, list) else [value]:
                words += option_words(one.name, each)
    return words


def option_words(name: str, value: object) -> list[str]:
    """Return an option as it is typed; none for a value that is None.

    Args:
        name: The option's name, without dashes at its beginning.
        value: Its value; True for a switch.

    Example:
        >>> option_words("max_side", 512), option_words("map", "-notes")
        (['--max-side', '512'], ['--map=-notes'])
    """
    if value is None:
        return []
    option = f"--{name.replace('_', '-')}"
    if value is True:
        return [option]
    text = str(value)
    if isinstance(value, float):
        text = text.removesuffix(".0")
    # What looks like an option would be taken for one, and what is empty for nothing.
    return [option, text] if text and not text.startswith("-") else [f"{option}={text}"]


PROCESSES: Final = Option(
    "--processes",
    metavar="N",
    min=1,
    max=64,
    help="Processes that carry the requests, besides this one, on a machine with cores to spare; "
    "without it there is this one alone.",
    rich_help_panel=HOW,
)
"""Of commands that send many requests."""


def complete_service(incomplete: str) -> list[tuple[str, str]]:
    """Return the services whose names begin so, each with its prefix, for a shell that completes.

    Example:
        >>> complete_service("f")
        [('fashion', 'similarity/fashion-new')]
    """
    names = [(service.name.lower(), service.value) for service in Service]
    return [named for named in names if named[0].startswith(incomplete)]


@frozen(kw_only=True)
class Place:
    """Which collection of which service."""

    collection: Annotated[
        str | None,
        Option(
            "--collection",
            "-c",
            metavar="ID",
            envvar="XIMILAR_COLLECTION",
            help="The collection's id.",
            rich_help_panel=WHERE,
        ),
    ] = None
    service: Annotated[
        str,
        Option(
            "--service",
            "-s",
            metavar="NAME",
            autocompletion=complete_service,
            help="photos, image_matching, products, custom, fashion, colors, home_decor, "
            "or the prefix of a private cloud, such as my-cloud/shoes.",
            rich_help_panel=WHERE,
        ),
    ] = "photos"


@frozen(kw_only=True)
class Access:
    """How to reach the service, and how hard to press it."""

    token_file: Annotated[
        Path | None,
        Option(
            "--token-file",
            metavar="FILE",
            help="File with the API token; without it the token is taken from the variable "
            "XIMILAR_TOKEN, never from an argument.",
            rich_help_panel=WHERE,
        ),
    ] = None
    url: Annotated[
        str | None,
        Option(
            "--url",
            metavar="URL",
            help="Address of the service, when it is not the real one. Env var: XIMILAR_URL.",
            rich_help_panel=WHERE,
        ),
    ] = None
    emulator: Annotated[
        str | None,
        Option(
            "--emulator",
            metavar="[DIR]",
            help="Start an emulator for this one command instead: it keeps its collections in "
            "the folder DIR, or without DIR in memory. No token is needed.",
            rich_help_panel=WHERE,
        ),
    ] = None
    rate: Annotated[
        float | None,
        Option(
            "--rate",
            parser=read_rate,
            metavar="N",
            help="Most requests in a second; without it as many as fit.",
            rich_help_panel=HOW,
        ),
    ] = None
    concurrency: Annotated[
        Any,
        Option(
            "--concurrency",
            parser=read_concurrency,
            metavar="N|auto",
            help="Most requests at once.",
            rich_help_panel=HOW,
        ),
    ] = field(default="auto")

    @property
    def limits(self) -> Limits:
        """Return the client's limits.

        Raises:
            ConfigError: a value is out of range.
        """
        return Limits(concurrency=self.concurrency, rate=self.rate)


@frozen(kw_only=True)
class Output:
    """What is printed, and for whom."""

    json: Annotated[
        bool,
        Option("--json", metavar="", help="Print JSON to stdout.", rich_help_panel=OUTPUT),
    ] = False
    quiet: Annotated[
        bool,
        Option(
            "--quiet",
            "-q",
            metavar="",
            help="Say nothing on stderr but warnings and errors.",
            rich_help_panel=OUTPUT,
        ),
    ] = False
    verbose: Annotated[
        bool,
        Option(
            "--verbose",
            "-v",
            metavar="",
            help="Say more; show where an error came from.",
            rich_help_panel=OUTPUT,
        ),
    ] = False
