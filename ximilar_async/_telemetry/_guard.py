"""The border: nothing that OpenTelemetry raises reaches the call or run that it is told of."""

from __future__ import annotations

import traceback
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from attrs import define, field

from ximilar_async._logging import TELEMETRY, told

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")


@define(eq=False)
class Guard:
    """Tells once that telemetry fails."""

    _told: bool = field(default=False, init=False)

    def tell(self, error: Exception) -> None:
        """Take note of what was raised."""
        if not self._told:
            self._told = True
            TELEMETRY.tell(where=_where(error), **told(error))


class Guarded(Protocol):
    """Whoever has methods that are guarded."""

    @property
    def guard(self) -> Guard:
        """Return whom failures are told."""
        ...


G = TypeVar("G", bound=Guarded)


def guarded(method: Callable[Concatenate[G, P], None]) -> Callable[Concatenate[G, P], None]:
    """Return a method that raises nothing: what it raised is told, and what is watched goes on.

    Samplers, span processors and instruments are other people's code, called in the middle of ours.
    """

    @wraps(method)
    def safely(watcher: G, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(watcher, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever they raise
            watcher.guard.tell(error)

    return safely


def _where(error: Exception) -> str:
    """Return file, line and function that raised: whose code it is."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno} in {last.name}"
