"""A sync in a process that may be killed at any time."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from ximilar_async import Limits, Retry, Ximilar, bulk


def run(url: str, folder: str, mode: bulk.Mode, remote: bool) -> None:  # noqa: FBT001 - of a process
    """Bring the collection in line with `catalog.jsonl`, and write the report's figures.

    Args:
        url: The emulator's address.
        folder: Where catalog and state are.
        mode: As for `sync`.
        remote: Whether the records themselves carry the state.
    """
    asyncio.run(_sync(url, Path(folder), mode, "remote" if remote else Path(folder, "state.db")))


async def _sync(url: str, folder: Path, mode: bulk.Mode, state: str | Path) -> None:
    options = bulk.Options(retry=Retry(attempts=10, base=0.002, cap=0.02))
    async with Ximilar("any-token", base_url=url, limits=Limits(concurrency=3)) as client:
        report = await bulk.sync(
            client.collection("c"),
            folder / "catalog.jsonl",
            mode=mode,
            state=state,
            allow_delete=True,
            options=options,
        )
    text = json.dumps(report.to_dict())
    out = os.open(folder / "told", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(out, text.encode())
    os.close(out)
