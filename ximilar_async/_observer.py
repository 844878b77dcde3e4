"""What may watch a client: told of calls, requests and bulk runs, and slows nothing while off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from ._config import Target
    from ._endpoints import Endpoint
    from ._gate import Levels
    from ._retry import Trace


class Watched(Protocol):
    """A client that is open."""

    @property
    def base_url(self) -> str:
        """Return scheme, host and port of the service."""
        ...

    def levels(self) -> Levels | None:
        """Return what the gate does now; None before the first call. Any thread may ask."""
        ...


class RequestEnd(NamedTuple):
    """How one HTTP request ended."""

    verb: str
    method: str
    """The API's name of what was called."""
    seconds: float
    status: int | None
    """None where no answer came."""
    error: BaseException | None


class CallObserver(Protocol):
    """Watches one call, from before it waits for its turn until it is answered or fails."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def answered(self, code: int | None) -> None:
        """Take note of the service's own code."""
        ...


class RunObserver(Protocol):
    """Watches one bulk run."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def batch(self, records: int) -> None:
        """Take note of how many records the task's next call brings."""
        ...

    def again(self, error: BaseException) -> None:
        """Take note that a failed batch is to be sent again."""
        ...

    def event(self, name: str, facts: Mapping[str, str | int | float]) -> None:
        """Take note of something that happens a few times in a run."""
        ...

    def counted(self, counts: Mapping[str, int], pending: int) -> None:
        """Take note of how many records ended how so far, those of earlier runs left aside."""
        ...

    def ended(self, facts: Mapping[str, str | int | float], *, stop: str) -> None:
        """Take note of what the run did; `stop` is why it ended early, if it did."""
        ...


class Observer(Protocol):
    """Watches clients; `ximilar_async.telemetry.OpenTelemetry` is one."""

    def opened(self, client: Watched) -> None:
        """Take note of a client that is open."""
        ...

    def closed(self, client: Watched) -> None:
        """Take note that it is closed."""
        ...

    def call(
        self,
        client: Watched,
        endpoint: Endpoint[Any],
        target: Target | None,
        url: str,
        *,
        trace: Trace,
        records: int | None,
    ) -> CallObserver:
        """Return what watches a call.

        Args:
            client: Whose.
            endpoint: The method.
            target: Service and collection; None for the account.
            url: The address that its requests go to, without parameters.
            trace: Filled with what the call takes.
            records: How many it brings, where that is known.
        """
        ...

    def requested(self, client: Watched, request: RequestEnd) -> None:
        """Take note of a request, within its call."""
        ...

    def retried(self, method: str, error: BaseException, wait: float) -> None:
        """Take note that a request is to be repeated, within its call."""
        ...

    def run(self, operation: str, service: str, collection: str) -> RunObserver:
        """Return what watches a bulk run."""
        ...
