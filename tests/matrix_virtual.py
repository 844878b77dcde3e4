"""Runs of the fault matrix in virtual time, where every second is counted and none is waited for.

Such a run has neither journal nor rejects file: those need threads, which virtual time has not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define
from fakes import TOKEN, clock, in_virtual_time
from scripted import ScriptedService

from ximilar_async import bulk
from ximilar_async._collection import Collection
from ximilar_async._config import Config, make_target, make_token
from ximilar_async._session import Session
from ximilar_async.bulk import Job, _operations
from ximilar_async.bulk._engine import Engine
from ximilar_async.images import ImageOptions
from ximilar_async.sources import as_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from matrix_row import Row
    from scripted import Fault

    from ximilar_async import Limits
    from ximilar_async.bulk import Report


class TimedService(ScriptedService):
    """A service that notes when each request arrives, in seconds of virtual time."""

    def __init__(self, script: Callable[..., Fault | None] | None = None, **settings: Any) -> None:
        super().__init__(script, **settings)
        self.times: list[float] = []

    async def send(self, request: Any) -> Any:
        self.times.append(clock())
        return await super().send(request)


@define
class Client:
    """A client whose session and runs go by virtual time."""

    row: Row
    session: Session

    @classmethod
    def of(cls, row: Row, service: ScriptedService, limits: Limits) -> Client:
        config = Config(token=make_token(TOKEN), base_url="http://localhost", limits=limits)
        return cls(row, Session(config, service, clock=clock))

    def job(self, source: list[Any], **options: Any) -> Job:
        """Return an insertion with the usual settings of a bulk run but for the options given."""
        collection = Collection(self.session, make_target("c", "photos"), images=ImageOptions())
        chosen = bulk.Options(on_result=self.row.results.append, **options)
        engine = Engine(_operations.insert(), collection, as_source(source), chosen, clock=clock)
        return Job(engine)

    async def insert(self, source: list[Any], **options: Any) -> Report:
        """Insert and return the report; a run that takes a quarter of a day never ends."""
        return await self.row.run(self.job(source, **options), within=2e4)


def run(
    row: Row, service: ScriptedService, source: list[Any], limits: Limits, **options: Any
) -> Report:
    """Insert records in virtual time and return the report."""

    async def main() -> Report:
        return await Client.of(row, service, limits).insert(source, **options)

    report = in_virtual_time(main())
    row.agree(service.stored)
    return report
