"""What can become of a single request: the hook that scenarios and plans of one's own build on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen

from ximilar_async._protocol import Request, Response  # noqa: TC001 - `FaultPlan` is made of them at run time

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import Attribute


class Disconnect(Exception):  # noqa: N818 - a way to leave, not a mishap
    """The connection is to be cut instead of answered; each door does so in its own way.

    Args:
        begun: The answer in whose middle it is cut; None for before its first byte.
    """

    def __init__(self, begun: Response | None = None) -> None:
        super().__init__()
        self.begun = begun


def _duration(_: object, attribute: Attribute[float], value: Any) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0:
        raise ValueError(f"{attribute.name} must be a number of seconds, not {value!r}")


def _yes_or_no(_: object, attribute: Attribute[bool], value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{attribute.name} must be true or false, not {value!r}")  # noqa: TRY004 - a setting


@frozen(kw_only=True)
class Fault:
    """What becomes of one request.

    Raises:
        ValueError: the delay is no number of seconds, or `apply` neither true nor false.

    Example:
        >>> Fault(answer=Response(503, {}), apply=False).disconnect
        False
    """

    apply: bool = field(default=True, validator=_yes_or_no)
    """Whether the request's work is done: False fails before it, True after it (the lost
    answer)."""
    answer: Response | None = None
    """What is answered instead of the true answer; None leaves it."""
    alter: Callable[[Response], Response] | None = None
    """Turns what would be answered into something else."""
    delay: float = field(default=0.0, validator=_duration)
    """Seconds to wait before answering, beside the emulator's latency."""
    disconnect: bool = False
    """Whether the connection is cut without any answer."""
    cut: bool = False
    """Whether the connection is cut in the middle of the answer's body."""

    def outcome(self, response: Response) -> Response:
        """Return what is answered where `response` would be.

        Raises:
            Disconnect: the connection is to be cut.
        """
        if self.disconnect:
            raise Disconnect
        answer = self.answer or response
        if self.alter is not None:
            answer = self.alter(answer)
        if self.cut:
            raise Disconnect(answer)
        return answer


FaultPlan: TypeAlias = "Callable[[Request, int], Fault | None]"
"""Decides about each request: gets the request and its number (from 1, in order of arrival),
returns None for no fault. `Faults` is one made of rules."""
