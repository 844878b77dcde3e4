"""How a plain function becomes a command: shared options unfolded, errors told, exit code kept."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_type_hints

import attrs
import typer

from ximilar_async.bulk import ExitCode
from ximilar_async.errors import XimilarError

from . import failures
from .mapping_options import Mapped
from .options import Access, Output, Place
from .run_options import Insertion, Run
from .screen import complain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Command: TypeAlias = "Callable[..., int]"
"""A function of its own options and of shared ones; returns the exit code."""

SHARED: Final = (Mapped, Insertion, Run, Place, Access, Output)
"""Kinds of values that gather options which several commands share."""

EXPECTED: Final = (failures.UsageError, XimilarError, OSError)
"""What can go wrong without a defect of ours: told in a line, never with a traceback."""


def as_command(command: Command) -> Callable[..., None]:
    """Return the function that Typer gets to see for a command.

    Each parameter of a shared kind (`SHARED`) is replaced by the fields of that kind; when the
    command is called they are put together again. Errors end as one line on stderr.

    Args:
        command: The function; `output: Output` is among its parameters.
    """
    hints = get_type_hints(command, include_extras=True)
    shared = {name: hint for name, hint in hints.items() if hint in SHARED}
    own = inspect.signature(command).parameters.values()

    def run(**values: Any) -> None:
        for name, kind in shared.items():
            values[name] = kind(**{f.name: values.pop(f.name) for f in attrs.fields(kind)})
        raise typer.Exit(guarded(partial(command, **values), values["output"]))

    parameters = [
        unfolded for parameter in own for unfolded in _unfolded(parameter, hints[parameter.name])
    ]
    run.__doc__, run.__name__ = command.__doc__, command.__name__
    run.__annotations__ = {}
    run.__dict__["__signature__"] = inspect.Signature(parameters)  # what Typer looks at
    return run


def _unfolded(parameter: inspect.Parameter, hint: Any) -> Iterator[inspect.Parameter]:
    """Yield what Typer sees of a parameter: itself, or the fields of a shared kind."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    if hint not in SHARED:
        yield parameter.replace(annotation=hint, kind=keyword)
        return
    hints = get_type_hints(hint, include_extras=True)
    for field in attrs.fields(hint):
        yield inspect.Parameter(
            field.name, keyword, default=field.default, annotation=hints[field.name]
        )


def guarded(command: Callable[[], int], output: Output) -> int:
    """Run a command; return its exit code, also when it met an error that is not ours.

    Args:
        command: What to run.
        output: With `verbose` the traceback is shown too.
    """
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has left; Python would complain once more at its own end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.TROUBLE
    except EXPECTED as error:
        if output.verbose:
            traceback.print_exc()
        complain("error", failures.message(error))
        return failures.exit_code(error)
    return code
