"""Runs of the fault matrix in processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from attrs import define, field
from fakes import TOKEN
from matrix_runs import stored_in

from ximilar_async.bulk import Outcome, Report, Result, Stop

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from matrix_row import Row

    from ximilar_async.emulator import Emulator

SCRIPT = Path(__file__).parent / "matrix" / "bulk_process.py"
PATIENCE = 60.0
"""Seconds that a process may take."""


async def until_there(emulator: Emulator, count: int) -> None:
    """Wait until so many records are in the collection."""
    async with asyncio.timeout(PATIENCE):
        while len(await stored_in(emulator)) < count:
            await asyncio.sleep(0.01)


@define(eq=False)
class Child:
    """A process of a row; what it wrote is kept in the row's folder, and looked through there."""

    row: Row
    process: Process
    code: int | None = field(default=None, init=False)
    out: str = field(default="", init=False)
    err: str = field(default="", init=False)

    async def end(self) -> None:
        """Wait for the end, and read what was written."""
        async with asyncio.timeout(PATIENCE):
            out, err = await self.process.communicate()
        self.code, self.out, self.err = self.process.returncode, out.decode(), err.decode()
        for name, text in (("out", self.out), ("err", self.err)):
            (self.row.folder / f"{self.process.pid}.{name}").write_text(text, encoding="utf-8")


@define(eq=False)
class Children:
    """Starts the processes of a row against an emulator; none of them outlives the block."""

    row: Row
    emulator: Emulator
    _started: list[Process] = field(factory=list, init=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
                await process.communicate()

    async def start(self, *words: object, **environment: str) -> Child:
        """Start Python with these words, and the token and the address in its environment."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("XIMILAR")}
        ours = {"NO_COLOR": "1", "XIMILAR_TOKEN": TOKEN, "XIMILAR_URL": self.emulator.url}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *map(str, words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.row.folder,
            env={**kept, **ours, **environment},
        )
        self._started.append(process)
        return Child(self.row, process)

    async def insert(
        self,
        source: Path,
        *,
        limit: int | None = None,
        environment: dict[str, str] | None = None,
        **options: Any,
    ) -> Child:
        """Start `bulk_process.py` with journal and rejects file.

        Args:
            source: The records.
            limit: Bytes beyond which no file may grow once the run has begun.
            environment: Further variables.
            options: Of the run.
        """
        files = {"journal": str(self.row.journal), "rejects": str(self.row.rejects)}
        settings = {"source": str(source), "limit": limit, "options": {**files, **options}}
        return await self.start(SCRIPT, json.dumps(settings), **(environment or {}))

    async def command(self, source: Path, *words: object) -> Child:
        """Start the command line's insert with journal and rejects file."""
        return await self.start(
            *("-m", "ximilar_async", "insert", source, "-c", "c", "--json", "--concurrency", 2),
            *("--journal", self.row.journal, "--rejects", self.row.rejects),
            *words,
        )


def written(child: Child, kind: str) -> list[Any]:
    """Return what `bulk_process.py` wrote of a kind; a line cut off by a kill does not count."""
    whole = child.out.splitlines(keepends=True)
    lines = [line.split(" ", 1) for line in whole if line.endswith("\n")]
    return [json.loads(value) for name, value in lines if name == kind]


def take_in(child: Child) -> Report | None:
    """Add a process's results and report to its row, and return the report if there is one."""
    row = child.row
    row.results += [
        Result(seq, "", id_, Outcome(outcome), reason)
        for seq, id_, outcome, reason in written(child, "told")
    ]
    for told in written(child, "report"):
        row.reports.append(report_of(told))
    return row.reports[-1] if written(child, "report") else None


def report_of(told: dict[str, Any]) -> Report:
    """Return the report that was written as JSON."""
    return Report(
        operation=told["operation"],
        read=told["read"],
        counts={Outcome(name): number for name, number in told["counts"].items()},
        requests=told["requests"],
        retries=told["retries"],
        elapsed=told["elapsed"],
        latency=told["latency"],
        stop=None if told["stop"] is None else Stop(told["stop"]),
        stop_reason=told["stop_reason"],
    )


def conflicts(row: Row) -> list[int]:
    """Return the records of which more than one final outcome was told."""
    told: dict[int, set[Outcome]] = {}
    for result in row.results:
        if result.outcome not in (Outcome.NOT_ATTEMPTED, Outcome.FAILED):
            told.setdefault(result.seq, set()).add(result.outcome)
    return [seq for seq, found in told.items() if len(found) > 1]
