"""What can be made to go wrong with single requests: the hook that fault plans build on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

from ximilar_async._protocol import Request, Response  # noqa: TC001 - `FaultPlan` is made of them at run time

if TYPE_CHECKING:
    from collections.abc import Callable


@frozen(kw_only=True)
class Fault:
    """What becomes of one request.

    Example:
        >>> Fault(answer=Response(503, {}), apply=False).disconnect
        False
    """

    apply: bool = True
    """Whether the request's work is done: False fails before it, True after it (the lost
    answer)."""
    answer: Response | None = None
    """What is answered instead of the true answer; None leaves it."""
    delay: float = 0.0
    """Seconds to wait before answering, beside the emulator's latency."""
    disconnect: bool = False
    """Whether the connection is cut without any answer."""


FaultPlan: TypeAlias = "Callable[[Request, int], Fault | None]"
"""Decides about each request: gets the request and its number (from 1, in order of arrival),
returns None for no fault."""


class Disconnect(Exception):  # noqa: N818 - a way to leave, not a mishap
    """The connection is to be cut instead of answered; each door does so in its own way."""
