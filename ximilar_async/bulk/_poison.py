"""Whether a batch fails by bad luck, by an outage, or by a record in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

from ximilar_async._endpoints import PING
from ximilar_async._retry import Trace
from ximilar_async.errors import XimilarError

if TYPE_CHECKING:
    from ximilar_async._collection import Collection

    from ._health import Health
    from ._item import Item
    from ._ledger import Ledger

_FAILURES: Final = 2
"""Failures after which a batch may be bisected instead of repeated."""

_CHANCE: Final = 0.005
"""Probability below which so many failures of one batch are no bad luck: at 30 % of failures the
fifth, at 10 % the third, at 1 % the second. With 0.02 bisecting cost 1 % more requests at 30 %."""

_FEW: Final = 50
"""Open records up to which a failing batch is told from an outage by asking the service."""


@define(eq=False)
class PoisonGuard:
    """Suspects a batch that fails again and again although the service is there.

    Args:
        collection: Whom to ask whether it is there; sends once.
        ledger: Knows how much is left to do.
        health: What requests met so far.
    """

    collection: Collection
    ledger: Ledger
    health: Health

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
        """Ask the service for a sign of life."""
        trace = Trace()
        try:
            await self.collection.call(PING, trace=trace)
        except XimilarError as error:
            self.health.failure(error)
            return False
        finally:
            self.health.sent(trace, again=0)
        self.health.answer(accepted=False)
        return True
