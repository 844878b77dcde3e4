"""Whether a batch fails by bad luck, by an outage, or by a record in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from attrs import define

from ximilar_async._endpoints import PING
from ximilar_async._retry import FailureClass, Trace, classify
from ximilar_async.errors import TimedOutError, XimilarError

from ._calls import WithdrawnError

if TYPE_CHECKING:
    from ximilar_async._collection import Collection

    from ._calls import Calls
    from ._health import Health
    from ._item import Item
    from ._ledger import Ledger

_FAILURES: Final = 2
"""Failures after which a batch may be bisected instead of repeated."""

_CHANCE: Final = 0.005
"""Probability below which so many failures of one batch are no bad luck: at 30 % of failures the
fifth, at 10 % the third, at 1 % the second. With 0.02 bisecting cost 1 % more requests at 30 %."""

_NO_SIGN: Final = frozenset({FailureClass.NOT_SENT, FailureClass.DOUBTFUL})
"""Failures after which nobody knows whether the service is there."""

_FEW: Final = 50
"""Open records up to which a failing batch is told from an outage by asking the service."""


@define(eq=False)
class PoisonGuard:
    """Suspects a batch that fails again and again although the service is there.

    Args:
        collection: Whom to ask whether it is there; sends once.
        ledger: Knows how much is left to do.
        health: What requests met so far.
        calls: Through which requests leave.
    """

    collection: Collection
    ledger: Ledger
    health: Health
    calls: Calls

    async def suspects(self, item: Item) -> bool:
        """Tell whether a batch that failed had better be bisected.

        Args:
            item: The batch's first record.
        """
        return self._is_no_bad_luck(item) or await self._is_alone_at_fault(item)

    def _is_no_bad_luck(self, item: Item) -> bool:
        """Tell whether it fails too often, while others succeed.

        Where 1 % of all requests fail, two failures say so; where 30 % fail, it takes five.
        """
        health = self.health
        others_succeed = health.answered > item.answered_then
        chance = health.failure_rate**item.attempts
        return item.attempts >= _FAILURES and others_succeed and chance < _CHANCE

    async def _is_alone_at_fault(self, item: Item) -> bool:
        """Tell whether the service is there although the few records that are left all fail.

        Nothing else is sent then that could succeed, so one has to ask.
        """
        if item.attempts < _FAILURES or self.health.breaker.is_open or not self.few_are_left:
            return False
        return await self.is_service_there()

    @property
    def few_are_left(self) -> bool:
        """Tell whether so little is left to do that a few bad records may be all of it."""
        return self.ledger.open <= _FEW

    async def is_service_there(self) -> bool:
        """Ask the service for a sign of life; a refusal is one too."""
        trace = Trace()
        try:
            async with asyncio.timeout(self.health.retry.deadline):
                await self.calls.call(self.collection, PING, trace=trace)
        except WithdrawnError:
            return False
        except TimeoutError:
            return self._no_sign(TimedOutError("ping: no answer in time"), trace)
        except XimilarError as error:
            if classify(error) in _NO_SIGN:
                return self._no_sign(error, trace)
        finally:
            self.health.sent(trace, again=0)
        self.health.answer(accepted=False)
        return True

    def _no_sign(self, error: XimilarError, trace: Trace) -> bool:
        self.health.failure(error, trace)
        return False
