"""A plan as a file: JSON lines, the first says what it is, the last that it is whole.

{"ximilar_async_plan":1,"collection":"shoes-id","service":"…","mode":"mirror","read":10060,…}
{"do":"update","id":"17","seq":17,"spot":"line 17","meta":"0f…","record":{"_id":"17",…}}
…
{"end":2,"checksum":"5c…"}
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import evolve, frozen

from ximilar_async.errors import ConfigError, SyncRefusedError
from ximilar_async.sinks import replaced

from .difference import Action
from .work import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ximilar_async.bulk._options import NearDupOrder, Options

    from .planning import Prepared
    from .work import Work

VERSION: Final = 1
"""Version of the form; a file of another one is refused by name."""

_ANY: Final[NearDupOrder] = "any"

_NUMBERS: Final = (
    "read", "unchanged", "already_present", "near_duplicate", "gone", "stored", "images_unknown",
    "in_doubt", "withheld", "broken",
)  # fmt: skip
_WRITTEN: Final = (
    Action.INSERT, Action.UPDATE, Action.REPLACE, Action.DELETE, Action.RESTORE, Action.ADOPT,
    Action.SEED, Action.FORGET, Action.REJECT,
)  # fmt: skip


@frozen
class Header:
    """What the first line of a plan says."""

    facts: dict[str, Any]

    def sent_as_planned(self, options: Options) -> Options:
        """Return options with those that say what a plan means; plans without them have no say.

        Args:
            options: How it is sent; an order of near-duplicates that is named here stays.
        """
        chosen = evolve(options, fields=self.facts.get("fields"))
        if options.near_dup_order != _ANY:
            return chosen
        order = self.facts.get("near_dup_order", _ANY)
        return evolve(chosen, near_dup_order=order, near_dup_group=self.facts.get("near_dup_group"))

    def refuse_others(self, collection: str, service: str) -> None:
        """Refuse a plan of another collection.

        Raises:
            SyncRefusedError: it is one.
        """
        theirs = (self.facts["collection"], self.facts["service"])
        if theirs != (collection, service):
            raise SyncRefusedError(
                f"the plan is for collection {theirs[0]!r} of service {theirs[1]!r}, not for "
                f"{collection!r} of {service!r}"
            )


def write_plan(
    prepared: Prepared, path: str | os.PathLike[str], collection: str, service: str
) -> None:
    """Write a plan; the file is there whole or not at all.

    Args:
        prepared: The planned sync.
        path: The file.
        collection: The collection's id.
        service: Its service.

    Raises:
        ConfigError: it cannot be written, or records of it could not be looked up.
    """
    if prepared.tasks[Action.LOOK]:
        raise ConfigError(
            f"{prepared.tasks[Action.LOOK]} records could not be looked up: plan again"
        )
    path = Path(path)
    try:
        with replaced(path) as file:
            digest = blake2b(digest_size=16)
            lines = 0
            for line in _lines(prepared, collection, service):
                digest.update(line)
                file.write(line)
                lines += 1
            file.write(_line({"end": lines - 1, "checksum": digest.hexdigest()}))
    except OSError as error:
        raise ConfigError(f"cannot write the plan {path}: {error.strerror or error}") from None


def _lines(prepared: Prepared, collection: str, service: str) -> Iterator[bytes]:
    terms = prepared.terms
    yield _line(
        {
            "ximilar_async_plan": VERSION,
            "collection": collection,
            "service": service,
            "mode": terms.mode,
            "near_dups": terms.near_dups,
            "radius": terms.radius,
            "near_dup_order": terms.options.near_dup_order,
            "near_dup_group": terms.options.near_dup_group,
            "version_field": terms.version_field,
            "fields": terms.options.fields,
            "remote": terms.remote,
            "remote_field": terms.remote_field,
            "source": prepared.source,
            "fingerprint": prepared.fingerprint,
            "files_root": None if prepared.root is None else os.fspath(prepared.root),
            "generation": prepared.generation,
            "there": prepared.there,
            **{name: getattr(prepared, name) for name in _NUMBERS},
        }
    )
    for tasks in prepared.work.tasks(*_WRITTEN):
        for task in tasks:
            yield _line(_plain(task))


def _plain(task: Task) -> dict[str, Any]:
    plain: dict[str, Any] = {"do": task.action.value, "id": task.id, "seq": task.seq}
    for name in ("spot", "was", "reason"):
        if getattr(task, name):
            plain[name] = getattr(task, name)
    for name in ("names", "removed"):
        if getattr(task, name):
            plain[name] = list(getattr(task, name))
    for name in ("meta", "image", "stamp"):
        value: bytes | None = getattr(task, name)
        if value is not None:
            plain[name] = value.hex()
    if task.record is not None:
        plain["record"] = orjson.Fragment(task.record)
    return plain


def read_plan(path: str | os.PathLike[str], work: Work | None) -> Header:
    """Read a plan's tasks.

    Args:
        path: The file.
        work: Where the tasks go; None to see only what it is.

    Returns:
        What the first line says.

    Raises:
        SyncRefusedError: it is no plan, torn, edited, or of another version.
        ConfigError: it cannot be read.
    """
    _check_whole(Path(path))
    with Path(path).open("rb") as file:
        header = Header(orjson.loads(file.readline()))
        for line in file if work is not None else ():
            value = orjson.loads(line)
            if work is not None and "end" not in value:
                work.add(_task(value))
    return header


def _check_whole(path: Path) -> None:
    """See that a file is a plan and just as it was written, before anything of it is believed."""
    broken = SyncRefusedError(
        f"{path} is no whole plan: it was cut off or edited; write it again, or sync without it"
    )
    digest, count, last = blake2b(digest_size=16), -1, None
    try:
        with path.open("rb") as file:
            for line in file:
                if last is not None:
                    digest.update(last)
                    count += 1
                last = line
                if count < 0:
                    _check_version(line, path)
    except OSError as error:
        raise ConfigError(f"cannot read the plan {path}: {error.strerror or error}") from None
    try:
        end = orjson.loads(last or b"")
    except orjson.JSONDecodeError:
        raise broken from None
    if not isinstance(end, dict) or end != {"end": count, "checksum": digest.hexdigest()}:
        raise broken


def _check_version(line: bytes, path: Path) -> None:
    try:
        head = orjson.loads(line)
    except orjson.JSONDecodeError:
        head = None
    if not isinstance(head, dict) or "ximilar_async_plan" not in head:
        raise SyncRefusedError(f"{path} is no plan of a sync")
    if head["ximilar_async_plan"] != VERSION:
        raise SyncRefusedError(
            f"the plan {path} has version {head['ximilar_async_plan']!r:.20}, and this "
            f"ximilar-async knows {VERSION}: write it again"
        )


def _task(value: dict[str, Any]) -> Task:
    hashes: dict[str, Any] = {
        name: bytes.fromhex(value[name]) for name in ("meta", "image", "stamp") if name in value
    }
    return Task(
        Action(value["do"]),
        value["id"],
        value["seq"],
        value.get("spot", ""),
        names=tuple(value.get("names", ())),
        record=orjson.dumps(value["record"]) if "record" in value else None,
        removed=tuple(value.get("removed", ())),
        was=value.get("was", ""),
        reason=value.get("reason", ""),
        **hashes,
    )


def _line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def take_numbers(header: Header, prepared: Prepared) -> None:
    """Take over what a plan found when it was made."""
    for name in _NUMBERS:
        setattr(prepared, name, header.facts[name])
    root = header.facts["files_root"]
    prepared.root = None if root is None else Path(root)
    prepared.source = header.facts["source"]
    prepared.fingerprint = header.facts["fingerprint"]
