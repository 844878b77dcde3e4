"""Inserts a catalog by the vendor's client and prints what it reports of each record.

Runs in an environment of its own: python faults_theirs.py URL CATALOG WORKERS

The client is used as its page on the package index says: `parallel_records_processing` with its
`insert`, batches of 10, an error file. Whatever names a record counts as a report of it: the list
of results, the error file, and what it prints.
"""

from __future__ import annotations

import ast
import io
import json
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ximilar.client import SimilarityPhotosClient

if TYPE_CHECKING:
    from collections.abc import Iterator

_DUPLICATE = 211


def in_results(results: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield what the list of results says of records."""
    for result in results:
        for record in result.get("answer_records", ()):
            yield record["_id"], "inserted"
        for skipped in result.get("skipped_records", ()):
            code = skipped["_reason"]["status"]["code"]
            yield skipped["_id"], "present" if code == _DUPLICATE else "undone"


def in_print(printed: str) -> Iterator[tuple[str, str]]:
    """Yield the records of batches that it gave up and printed."""
    lines = iter(printed.splitlines())
    for line in lines:
        if line.startswith("Error processing records"):
            for record in ast.literal_eval(next(lines)):
                yield record["_id"], "undone"


def in_file(errors: Path, known: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the records of the error file that the results did not name."""
    for record in json.loads(errors.read_text(encoding="utf-8")) if errors.exists() else ():
        if (record["_id"], "undone") not in known:
            yield record["_id"], "undone"


def main(url: str, catalog: Path, workers: int, folder: Path) -> None:
    """Insert and print."""
    records = [json.loads(line) for line in catalog.read_text(encoding="utf-8").splitlines()]
    client = SimilarityPhotosClient("token", "bench", endpoint=f"{url}/similarity/photos/v2/")
    errors, printed = folder / "errors.json", io.StringIO()
    start = time.perf_counter()
    with redirect_stdout(printed), redirect_stderr(io.StringIO()):
        results = client.parallel_records_processing(
            records,
            method=client.insert,
            max_workers=workers,
            batch_size=10,
            output=True,
            error_file=str(errors),
        )
    seconds = time.perf_counter() - start
    reported = [*in_results(results), *in_print(printed.getvalue())]
    reported += in_file(errors, set(reported))
    said = next(
        line for line in printed.getvalue().splitlines() if line.startswith("Result of parallel")
    )
    print(json.dumps({"seconds": seconds, "reported": reported, "said": said}))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(made))
