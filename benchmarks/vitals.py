"""What a process holds: memory, descriptors, tasks. Linux only, without a library."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from attrs import define, field, frozen

if TYPE_CHECKING:
    from ximilar_async import bulk

_MIB = 2**20


@frozen
class Vitals:
    """What this process holds at one moment."""

    mib: float
    """Memory in RAM."""
    descriptors: int
    """Open files and sockets."""
    tasks: int
    """Tasks of the running event loop."""


def vitals() -> Vitals:
    """Return what this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Vitals(
        round(pages * os.sysconf("SC_PAGE_SIZE") / _MIB, 1),
        len(list(Path("/proc/self/fd").iterdir())) - 1,  # one is the listing's own
        len(asyncio.all_tasks()),
    )


def peak_mib() -> float:
    """Return the most memory that this process ever had in RAM.

    `getrusage` would count the process that started this one, as it was then.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024, 1)


@define
class Course:
    """Notes what the process holds each time a tenth of the records was read.

    Args:
        records: How many there are; `note` is the run's `progress`.
    """

    records: int
    points: list[dict[str, float]] = field(factory=list, init=False)

    def note(self, report: bulk.Report) -> None:
        """Note the state if another tenth was read."""
        tenth = report.read * 10 // self.records
        if tenth > len(self.points):
            self.points.append({"read": report.read, **attrs.asdict(vitals())})
