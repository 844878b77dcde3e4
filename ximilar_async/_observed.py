"""A session that tells an observer; the plain one knows nothing of it and pays nothing for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field

from ._models import Account, Answer
from ._observer import RequestEnd
from ._protocol import build_head
from ._retry import Trace
from ._session import Session

if TYPE_CHECKING:
    from ._config import Retry, Target
    from ._encoding import Encoded
    from ._endpoints import Endpoint
    from ._gate import Levels
    from ._observer import Observer
    from ._protocol import Response
    from ._retry import FailureClass
    from ._session import _Call
    from .errors import XimilarError

A = TypeVar("A", bound=Answer | Account)


@define(eq=False)
class ObservedSession(Session):
    """Carries calls as `Session` does, and has them watched.

    Args:
        config: The settings.
        transport: What carries the requests.
        clock: Returns monotonic seconds.
        sleep: Waits for seconds.
        jitter: Draws a wait between 0 and its argument, in seconds.
        observer: Who watches.
    """

    _observer: Observer = field(kw_only=True, alias="observer")
    _urls: dict[tuple[str, str | None], str] = field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._observer.opened(self)

    @property
    def observer(self) -> Observer:
        """Return who watches the calls."""
        return self._observer

    @property
    def base_url(self) -> str:
        """Return scheme, host and port of the service."""
        return self.config.base_url

    def levels(self) -> Levels | None:
        """Return what the gate does now; None before the first call."""
        return None if self._gate is None else self._gate.levels

    async def call(
        self,
        endpoint: Endpoint[A],
        target: Target | None = None,
        *,
        fields: Mapping[str, Any] | Encoded | None = None,
        query: Mapping[str, Any] | None = None,
        retry: Retry | None = None,
        trace: Trace | None = None,
    ) -> A:
        """Call a method and return its answer, watched; as `Session.call` in all else."""
        trace = trace or Trace()
        url = self._url(endpoint, target)
        watching = self._observer.call(
            self, endpoint, target, url, trace=trace, records=_records(fields)
        )
        with watching as observed:
            answer = await super().call(
                endpoint, target, fields=fields, query=query, retry=retry, trace=trace
            )
            observed.answered(answer.status.code if isinstance(answer, Answer) else None)
            return answer

    async def aclose(self) -> None:
        """Close the transport; the observer hears no more of this session."""
        self._observer.closed(self)
        await super().aclose()

    def _url(self, endpoint: Endpoint[Any], target: Target | None) -> str:
        """Return a method's address without parameters; there are few, so all are kept."""
        place = (endpoint.path, None if target is None else target.prefix)
        if place not in self._urls:
            self._urls[place] = build_head(self.base_url, "", endpoint, target).url
        return self._urls[place]

    async def _send(self, call: _Call[Any], sent: float) -> Response:
        status, failure = None, None
        try:
            response = await super()._send(call, sent)
            status = response.status
        except BaseException as error:
            failure = error
            raise
        finally:
            self._observer.requested(
                self,
                RequestEnd(
                    call.request.verb, call.endpoint.path, self.clock() - sent, status, failure
                ),
            )
        return response

    def _may_repeat(
        self, call: _Call[Any], error: XimilarError, failure: FailureClass, wait: float
    ) -> bool:
        repeats = super()._may_repeat(call, error, failure, wait)
        if repeats:
            self._observer.retried(call.endpoint.path, error, wait)
        return repeats

    async def _refresh(self, call: _Call[Any], error: XimilarError) -> None:
        await super()._refresh(call, error)
        self._observer.retried(call.endpoint.path, error, 0.0)


def _records(fields: Mapping[str, Any] | Encoded | None) -> int | None:
    """Return how many records a body brings; None for one that is encoded already."""
    if not isinstance(fields, Mapping):
        return None if fields is not None else 0
    records = fields.get("records")
    return len(records) if isinstance(records, (list, tuple)) else 0
