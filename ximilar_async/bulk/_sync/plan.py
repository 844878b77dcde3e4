"""What a sync would do, before it does it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Self

import orjson
from attrs import field, frozen

from ximilar_async._validation import check_whole
from ximilar_async.errors import ConfigError

from .difference import Action
from .hashes import IMAGE_FIELDS
from .plan_file import write_plan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from types import TracebackType

    from .difference import Mode
    from .planning import Prepared
    from .work import Task

_SAMPLES: Final = 5
PAID: Final = ("insert", "update", "replace", "delete", "restore")
"""What a plan sends, by what it is for."""


@frozen(kw_only=True, eq=False)
class SyncPlan:
    """What a sync would do; nothing was sent but questions.

    It keeps its tasks in a passing file until it is closed or forgotten.

    Args:
        mode: "insert", "upsert" or "mirror".
        collection: The collection's id.
        service: Its service.
        source: What people call the source.
        stored: Records that are stored, as far as is known.
        read: Records of the source.
        unchanged: Records that need nothing.
        already_present: An `_id` that came twice, or, with mode="insert", one that is stored.
        near_duplicate: Turned away before as near-duplicates, and the same since.
        insert: Records to be inserted.
        update: Records whose metadata is to be changed.
        replace: Records with another image: to be deleted and inserted.
        delete: Records to be deleted.
        restore: Records that an interrupted run deleted and did not insert.
        rejected: Records that cannot be sent as they are.
        undecided: Records that could not be looked up.
        gone: Stored records that the source does not have, with mode="mirror".
        withheld: Why they are not to be deleted, where that is so.
        images_unknown: Records whose stored image nobody knows, and that would be left as they are.
        in_doubt: Records that were under way when an earlier run ended.
        notes: What else is to be known.
        requests: Requests by method, repetitions left aside.
        samples: A few ids of each kind.
        rejects: Places of the first records that cannot be sent, and why.
    """

    mode: Mode
    collection: str
    service: str
    source: str
    stored: int
    read: int
    unchanged: int
    already_present: int
    near_duplicate: int
    insert: int
    update: int
    replace: int
    delete: int
    restore: int
    rejected: int
    undecided: int
    gone: int
    withheld: str
    images_unknown: int
    in_doubt: int
    notes: tuple[str, ...]
    requests: Mapping[str, int]
    samples: Mapping[str, tuple[str, ...]] = field(repr=False)
    rejects: tuple[tuple[str, str], ...] = field(repr=False)
    _prepared: Prepared = field(repr=False, alias="prepared")

    @property
    def changes(self) -> int:
        """Return how many records would be changed."""
        return self.insert + self.update + self.replace + self.delete + self.restore

    def records(self, kind: str, *, limit: int = _SAMPLES) -> list[dict[str, Any]]:
        """Return the first records of a kind as they would be sent; a `_file` stays a path.

        An update has null for each field that it removes; what is deleted has its `_id` alone.

        Args:
            kind: "insert", "update", "replace", "delete" or "restore".
            limit: How many.

        Raises:
            ConfigError: there is no such kind, or the limit is below 1.

        Example:
            plan = await bulk.plan_sync(shoes, "catalog.jsonl", state=None, allow_new_catalog=True)
            print(plan.records("update", limit=1))
        """
        if kind not in PAID:
            raise ConfigError(f"a plan has no records to {kind!r}, but to {', '.join(PAID)}")
        check_whole("limit", limit, least=1)
        return [
            _record(task) for task in next(self._prepared.work.tasks(Action(kind), limit=limit), [])
        ]

    def credits(self, prices: Mapping[str, float]) -> float:
        """Return what it would cost, at prices that are yours to know: they are not published.

        Args:
            prices: Credits a record, by method: "insert", "nearDupsInsert", "update", "delete"; a
                replaced record is deleted and inserted. What is not named costs nothing.

        Raises:
            ConfigError: there is no such method.

        Example:
            plan = await bulk.plan_sync(shoes, "catalog.jsonl", state=None, allow_new_catalog=True)
            print(plan.credits({"insert": 10, "update": 1, "delete": 1}))
        """
        unknown = prices.keys() - {"insert", "nearDupsInsert", "update", "delete"}
        if unknown:
            raise ConfigError(f"a sync calls no {', '.join(sorted(unknown))}: nothing to price")
        again = self.replace + self.restore
        near = self._prepared.terms.near_dups
        records = {
            "insert": again + (0 if near else self.insert),
            "nearDupsInsert": self.insert if near else 0,
            "update": self.update,
            "delete": self.replace + self.delete,
        }
        return sum(records[name] * price for name, price in prices.items())

    def seconds(self, rate: float) -> float:
        """Return how long it would take at a rate.

        Args:
            rate: Requests a second.

        Raises:
            ConfigError: it is not above 0.

        Example:
            plan = await bulk.plan_sync(shoes, "catalog.jsonl", state=None, allow_new_catalog=True)
            print(plan.seconds(10))
        """
        if not rate > 0:
            raise ConfigError(f"rate must be above 0, not {rate!r}")
        return sum(self.requests.values()) / rate

    def summary(self) -> str:
        """Return the plan in one line.

        Example:
            plan = await bulk.plan_sync(shoes, "catalog.jsonl", state=None, allow_new_catalog=True)
            print(plan.summary())
        """
        counts = {name: getattr(self, name) for name in PAID}
        parts = [f"{n} to {name}" for name, n in counts.items() if n]
        left = ("unchanged", "already_present", "near_duplicate", "rejected", "undecided")
        parts += [f"{getattr(self, n)} {n.replace('_', ' ')}" for n in left if getattr(self, n)]
        line = f"{self.mode}: {self.read} records read, {self.stored} stored: "
        line += ", ".join(parts) or "nothing to do"
        line += f"; {sum(self.requests.values())} requests"
        if self.withheld:
            line += f"; {self.gone} gone, not to be deleted: {self.withheld}"
        return "; ".join([line, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON values, its tasks left aside.

        Example:
            plan = await bulk.plan_sync(shoes, "catalog.jsonl", state=None, allow_new_catalog=True)
            print(plan.to_dict()["insert"])
        """
        names = [name for name in self.__annotations__ if not name.startswith("_")]
        plain = {name: getattr(self, name) for name in names}
        samples = {name: list(ids) for name, ids in self.samples.items()}
        return (
            plain
            | {"notes": list(self.notes), "requests": dict(self.requests)}
            | {"samples": samples, "rejects": [list(reject) for reject in self.rejects]}
        )

    def write(self, path: str | PathLike[str]) -> None:
        """Write the plan into a file that `apply_plan` carries out; blocking.

        Args:
            path: The file; it holds every record that would be sent.

        Raises:
            ConfigError: it cannot be written.

        Example:
            plan = await bulk.plan_sync(shoes, "catalog.jsonl", state=None, allow_new_catalog=True)
            plan.write("catalog.plan")
        """
        write_plan(self._prepared, path, self.collection, self.service)

    def close(self) -> None:
        """Give the passing file free.

        Example:
            plan = await bulk.plan_sync(shoes, "catalog.jsonl", state=None, allow_new_catalog=True)
            plan.close()
        """
        self._prepared.work.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def plan_of(prepared: Prepared, collection: str, service: str, slice_size: int) -> SyncPlan:
    """Return a planned sync as people see it.

    Args:
        prepared: The tasks.
        collection: The collection's id.
        service: Its service.
        slice_size: Records that are replaced at once.
    """
    check_whole("slice_size", slice_size, least=1)
    tasks, kinds = prepared.tasks, [Action(name) for name in PAID]
    return SyncPlan(
        mode=prepared.terms.mode,
        collection=collection,
        service=service,
        source=prepared.source,
        stored=prepared.stored,
        read=prepared.read,
        unchanged=prepared.unchanged + tasks[Action.ADOPT],
        already_present=prepared.already_present,
        near_duplicate=prepared.near_duplicate,
        rejected=tasks[Action.REJECT],
        undecided=tasks[Action.LOOK],
        gone=prepared.gone,
        withheld=prepared.withheld,
        images_unknown=prepared.images_unknown,
        in_doubt=prepared.in_doubt,
        notes=tuple(prepared.notes),
        requests=_requests(prepared, slice_size),
        samples={kind.value: prepared.work.samples(kind, _SAMPLES) for kind in kinds},
        rejects=_rejects(prepared),
        prepared=prepared,
        **{kind.value: tasks[kind] for kind in kinds},
    )


def _record(task: Task) -> dict[str, Any]:
    """Return what would be sent for a task, the mark of state="remote" left aside."""
    record: dict[str, Any] = orjson.loads(task.record or b"{}")
    if task.action is Action.UPDATE:
        record = {name: value for name, value in record.items() if name not in IMAGE_FIELDS}
        record |= dict.fromkeys(task.removed)
    return {"_id": task.id} | record


def _rejects(prepared: Prepared) -> tuple[tuple[str, str], ...]:
    tasks = next(prepared.work.tasks(Action.REJECT, limit=_SAMPLES), [])
    return tuple((task.spot, task.reason) for task in tasks)


def _requests(prepared: Prepared, slice_size: int) -> dict[str, int]:
    """Return how many requests the tasks take, by method."""
    tasks, size = prepared.tasks, prepared.terms.options.batch_size
    whole, rest = divmod(tasks[Action.REPLACE], slice_size)
    again = whole * math.ceil(slice_size / size) + math.ceil(rest / size)
    near = prepared.terms.near_dups
    new = math.ceil(tasks[Action.INSERT] / size)
    requests = {
        "insert": again + math.ceil(tasks[Action.RESTORE] / size) + (0 if near else new),
        "nearDupsInsert": new if near else 0,
        "update": math.ceil(tasks[Action.UPDATE] / size),
        "delete": again + math.ceil(tasks[Action.DELETE] / size),
        # What is stored is looked up, to be put back should the new image be refused.
        "get": again if prepared.work.by_address(Action.REPLACE) else 0,
    }
    return {name: count for name, count in requests.items() if count}
