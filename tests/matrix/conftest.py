"""What holds in every row of the fault matrix, whatever goes wrong in it.

A row takes the fixture `row` (`matrix_row.Row`), makes its clients and options by it and has it
await its runs; when the test is over, the fixture sees to the rest: counts, token, tasks,
descriptors.
"""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest_asyncio
from attrs import frozen
from fakes import TOKEN, chain
from matrix_row import Row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

SETTLING = 5.0
"""Seconds that transports and tasks may take to close behind a row."""


@pytest_asyncio.fixture
async def row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> AsyncIterator[Row]:
    """Yield the row; at its end see that the promises of every run were kept."""
    caplog.set_level(logging.DEBUG)
    before = _Held.now()
    row = Row(tmp_path)
    yield row
    _check_counts(row)
    logged = "\n".join(map(caplog.handler.format, caplog.get_records("call")))
    _check_secrecy(row, logged, *capfd.readouterr())
    await _check_nothing_is_held(before)


def _check_counts(row: Row) -> None:
    assert row.reports, "the row has no run"
    for report in row.reports:
        assert sum(report.counts.values()) == report.read, report.summary()
        assert report.pending == 0


def _check_secrecy(row: Row, *texts: str) -> None:
    """See that the token is nowhere: reports, results, errors, files, log, output."""
    shown = {f"output {number}": text for number, text in enumerate(texts)}
    for report in row.reports:
        shown[f"report {report.operation}"] = json.dumps(report.to_dict()) + repr(report)
    shown["results"] = repr(row.results)
    for error in row.errors:
        shown[f"error {error!r:.80}"] = _everything_about(error)
    for file in filter(Path.is_file, row.folder.rglob("*")):
        shown[str(file)] = file.read_bytes().decode("latin-1")
    assert [place for place, text in shown.items() if TOKEN in text] == []


def _everything_about(error: BaseException) -> str:
    parts = traceback.format_exception(error)
    for one in chain(error):
        parts += [repr(one), str(one), repr(one.args), repr(vars(one))]
    return "".join(parts)


async def _check_nothing_is_held(before: _Held) -> None:
    """Wait until tasks and descriptors are as before; what has not gone in time stays."""
    deadline = asyncio.get_running_loop().time() + SETTLING
    while not (now := _Held.now()).is_back_at(before):
        if asyncio.get_running_loop().time() > deadline:
            assert now.descriptors == before.descriptors
            assert now.tasks - before.tasks == {asyncio.current_task()}
            break
        await asyncio.sleep(0.01)


def _kind(target: str) -> str:
    """Return what a descriptor leads to, without numbers that differ from one to the next."""
    if target.endswith(" (deleted)"):
        return "a file without a name"
    return target.split(":", 1)[0] if target.startswith(("socket:", "pipe:")) else target


@frozen
class _Held:
    """What a process holds at a moment."""

    tasks: frozenset[asyncio.Task[Any]]
    descriptors: tuple[tuple[str, int], ...]

    @classmethod
    def now(cls) -> _Held:
        found: Counter[str] = Counter()
        for descriptor in Path("/proc/self/fd").iterdir():
            with suppress(OSError):  # the listing's own descriptor
                found[_kind(str(descriptor.readlink()))] += 1
        return cls(frozenset(asyncio.all_tasks()), tuple(sorted(found.items())))

    def is_back_at(self, before: _Held) -> bool:
        own = {asyncio.current_task()}
        return self.descriptors == before.descriptors and not self.tasks - before.tasks - own
