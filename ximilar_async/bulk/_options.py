"""How a bulk run is cut up and sent."""

from __future__ import annotations

import inspect
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, frozen

from ximilar_async._collection import Collection
from ximilar_async._config import Retry
from ximilar_async._endpoints import MAX_RECORDS
from ximilar_async._validation import instance_of, number, one_of, optional, text, truth, whole
from ximilar_async.errors import ConfigError
from ximilar_async.images import ImageOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import Attribute

    from ._journal import Durability
    from ._outcomes import Result
    from ._report import Report


Attribution: TypeAlias = Literal["compare", "exact"]
"""How a record is told to be this run's after a lost answer."""

NearDupOrder: TypeAlias = Literal["strict", "grouped", "any"]
"""In which order records are sent that may be near-duplicates of each other."""

_ANY: NearDupOrder = "any"
_RELAXED: Durability = "relaxed"
_COMPARE: Attribution = "compare"

_SECONDS = number(least=0.01, endless=True)


def _budget(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value is None:
        return
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    share = isinstance(value, float) and 0 <= value < 1
    if not whole and not share:
        raise ConfigError(
            f"{attribute.name} must be a whole number of records, or a share of them from 0.0 "
            f"to below 1.0, not {value!r}"
        )


def _names(value: Any) -> Any:
    """Turn a sequence of field names into a tuple; anything else is left to the validator."""
    plain = isinstance(value, (list, tuple, set, frozenset))
    return tuple(value) if plain else value


def _field_names(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, tuple) or not all(isinstance(name, str) for name in value):
        raise ConfigError(f"{attribute.name} must be a list of field names, not {value!r}")


def _plain_call(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if not callable(value):
        raise ConfigError(f"{attribute.name} must be a function, not {value!r}")
    if inspect.iscoroutinefunction(value):
        raise ConfigError(
            f"{attribute.name} takes a plain function: nobody would await a coroutine; "
            "iterate over job.results() to await for each result"
        )


def _path(value: Any) -> Any:
    """Turn text into a path; anything else is left to the validator."""
    return Path(value) if isinstance(value, (str, PathLike)) else value


def _of_file(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Path):
        raise ConfigError(f"{attribute.name} must be a path, not {value!r:.40}")


@frozen(kw_only=True)
class Options:
    """How a bulk run is cut up and sent; unknown names are refused.

    Args:
        workers: Batches under way at once; None for as many as the client has slots.
        batch_size: Most records in one request.
        max_batch_bytes: Most bytes of JSON in one request; a single record above it is
            rejected.
        max_pending_bytes: Most bytes of JSON that wait or are under way; reading pauses above
            it.
        flush_after: Seconds after which records of a slow source are sent although their batch
            is not full.
        retry: When a batch that failed is sent again; `deadline` also bounds the wait in an
            outage.
        deadline: Seconds that the whole run may take; then it ends as by `stop()`. None for no
            bound.
        error_budget: The run stops when more records are rejected or failed: a whole number of
            them, or a share as a float (0.05), judged from 100 records on. None bears any
            number.
        journal: File that makes the run resumable: run the same again with it, and it goes on.
        durability: "relaxed" survives a killed process; "strict" a power failure, at a sync a
            batch.
        rejects: File that rejected and failed records are appended to, for `bulk.replay`.
        attribution: How a record is told to be this run's after a lost answer: by its fields,
            or by a mark.
        marker: Field that holds the mark with attribution="exact".
        near_dup_order: Which records of a near-duplicate insert may be under way at once.
            Requests under way at once cannot see each other, so two near-duplicates of the same
            input may both be stored. "any" risks that for speed. "grouped" sends records of one
            group (see `near_dup_group`) one after the other, in the input's order, and groups
            side by side. "strict" sends each request when all before it are decided: the result
            is that of one sender.
        near_dup_group: Field that names a record's group, such as the product; None for the
            image itself, so that the same address or content is never under way twice.
        remember_ids: Whether an insert does not send an `_id` again that the same input has
            brought in already: it is `already_present`, with the reason "input_duplicate".
            Costs up to 32 MiB, then a temporary file, and 3 µs a record. Else the service
            decides, which costs a request.
        fields: Fields of the records that are sent; `_id` and the image always are. None for
            all.
        images: How `_file` and `_image` are checked and shrunk; None for the collection's own
            way.
        files_root: Folder that `_file` must not leave; None for the collection's, else the
            source's own.
        on_result: Called for every record as it is decided, on the event loop.
        progress: Called a few times a second with the state so far, and at the end.
        dry_run: Read, check and prepare everything; send nothing, and leave journal and rejects
            alone.
        max_records: Read no more than this many records.

    Raises:
        ConfigError: a value is out of range.

    Example:
        >>> Options(workers=4).batch_size
        10
    """

    workers: int | None = field(default=None, validator=optional(whole(least=1)))
    batch_size: int = field(default=MAX_RECORDS, validator=whole(least=1, most=MAX_RECORDS))
    max_batch_bytes: int = field(default=8 * 2**20, validator=whole(least=1))
    max_pending_bytes: int = field(default=64 * 2**20, validator=whole(least=1))
    flush_after: float = field(default=1.0, validator=_SECONDS)
    retry: Retry = field(
        factory=lambda: Retry(attempts=8, deadline=900.0, longest_hint=600.0),
        validator=instance_of(Retry),
    )
    deadline: float | None = field(default=None, validator=optional(_SECONDS))
    error_budget: int | float | None = field(default=None, validator=_budget)
    journal: Path | None = field(default=None, converter=_path, validator=optional(_of_file))
    durability: Durability = field(default=_RELAXED, validator=one_of("relaxed", "strict"))
    rejects: Path | None = field(default=None, converter=_path, validator=optional(_of_file))
    attribution: Attribution = field(default=_COMPARE, validator=one_of("compare", "exact"))
    marker: str = field(default="ximilar_async_run", validator=text)
    near_dup_order: NearDupOrder = field(default=_ANY, validator=one_of("strict", "grouped", "any"))
    near_dup_group: str | None = field(default=None, validator=optional(text))
    remember_ids: bool = field(default=False, validator=truth)
    fields: tuple[str, ...] | None = field(default=None, converter=_names, validator=_field_names)
    images: ImageOptions | None = field(default=None, validator=optional(instance_of(ImageOptions)))
    files_root: Path | None = field(default=None, converter=_path, validator=optional(_of_file))
    on_result: Callable[[Result], object] | None = field(default=None, validator=_plain_call)
    progress: Callable[[Report], object] | None = field(default=None, validator=_plain_call)
    dry_run: bool = field(default=False, validator=truth)
    max_records: int | None = field(default=None, validator=optional(whole(least=0)))


def check_call(collection: object, options: object) -> None:
    """See that a run is started on a collection, with options.

    Args:
        collection: What was given as one.
        options: What was given as such.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(collection, Collection):
        raise ConfigError(
            f"a bulk run takes a collection, client.collection(…), not {collection!r:.80}"
        )
    if not isinstance(options, Options):
        raise ConfigError(f"options takes bulk.Options(…), not {options!r:.80}")
