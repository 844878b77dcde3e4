"""The requests of a run under way: watched while they hang, called back while they wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from attrs import define, field

from ximilar_async.errors import DisconnectedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ximilar_async._collection import Collection
    from ximilar_async._encoding import Encoded
    from ximilar_async._endpoints import Endpoint
    from ximilar_async._models import Answer
    from ximilar_async._retry import Trace


class WithdrawnError(Exception):
    """The call was called back: before it left, or because nobody waits for its answer any more."""


@define(eq=False)
class Calls:
    """Makes calls on behalf of workers, each a task, and can end them without ending the tasks."""

    _traces: dict[asyncio.Task[Any], Trace] = field(factory=dict, init=False)
    _withdrawn: set[asyncio.Task[Any]] = field(factory=set, init=False)

    async def call(
        self,
        collection: Collection,
        endpoint: Endpoint[Any],
        fields: Mapping[str, Any] | Encoded | None = None,
        *,
        trace: Trace,
        task: asyncio.Task[Any] | None = None,
    ) -> Answer:
        """Call a method and return its answer.

        Args:
            collection: Whose.
            endpoint: The method.
            fields: Fields of its body.
            trace: Filled with what the call took.
            task: The one that makes the call, where that is known: asking costs 3 µs.

        Raises:
            WithdrawnError: it was called back.
            XimilarError: it failed.
        """
        task = task or asyncio.current_task()
        assert task is not None  # workers are tasks
        self._traces[task] = trace
        try:
            answer: Answer = await collection.call(endpoint, fields, trace=trace)
        except asyncio.CancelledError:
            self._ended_by_cancelling(task)
            raise
        finally:
            del self._traces[task]
            self._withdrawn.discard(task)
        return answer

    def hangs_since(self) -> float | None:
        """Return when the request left that waits longest for its answer; None without any."""
        sent = [trace.sent_at for trace in self._traces.values() if trace.sent_at is not None]
        return min(sent, default=None)

    def withdraw(self, *, sent_too: bool = False) -> None:
        """Call back every call that still waits at the gate; what has left goes on.

        Args:
            sent_too: Also give up waiting for answers; what has left may have been applied.
        """
        for task, trace in self._traces.items():
            if (sent_too or not trace.requests) and task not in self._withdrawn:
                self._withdrawn.add(task)
                task.cancel()

    def _ended_by_cancelling(self, task: asyncio.Task[Any]) -> None:
        """Raise what a cancellation means that is not for the whole task."""
        if task in self._withdrawn:
            if not task.uncancel():
                raise WithdrawnError from None
        elif not task.cancelling():
            # Somebody else's cancellation that came through the transport ends no run.
            raise DisconnectedError("the request was cancelled from outside") from None
