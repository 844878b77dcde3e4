"""Loads the documents' examples (tests/samples)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from attrs import frozen

FOLDER = Path(__file__).parent / "samples"


@frozen
class Sample:
    """One example call of the documents."""

    name: str
    """The folder's name: the endpoint in snake case, perhaps with a suffix."""
    curl: str
    """The command line as printed."""
    verb: str
    path: str
    """Path of the address, from the first slash."""
    query: dict[str, str]
    headers: tuple[str, ...]
    """Names of the headers, as printed."""
    body: Any
    """The decoded JSON body; None when no body is sent."""
    response: Any
    """The decoded JSON answer; None when the documents print none."""

    @property
    def method(self) -> str:
        """Return the method's name on the wire."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def prefix(self) -> str:
        """Return the service's prefix: what stands before `/v2/`."""
        return self.path.split("/v2/")[0].strip("/")


def snake(method: str) -> str:
    """Return a name on the wire in snake case: visualKNNMulti becomes visual_knn_multi."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", method).lower()


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _load(folder: Path) -> Sample:
    request = _read(folder / "request.json")
    response = folder / "response.json"
    return Sample(
        name=folder.name,
        curl=(folder / "curl.txt").read_text(encoding="utf-8"),
        verb=request["verb"],
        path=request["path"],
        query=request["query"],
        headers=tuple(request["headers"]),
        body=request["body"],
        response=_read(response) if response.exists() else None,
    )


SAMPLES: dict[str, Sample] = {
    path.parent.name: _load(path.parent) for path in sorted(FOLDER.glob("*/request.json"))
}
"""Every example call by its folder's name."""

RECORDS: dict[str, Any] = {path.stem: _read(path) for path in sorted(FOLDER.glob("records/*.json"))}
"""Records and bodies that the documents print outside a call."""

STATUSES: dict[str, list[dict[str, Any]]] = _read(FOLDER / "statuses.json")
"""The documented `status` objects by method's name on the wire."""
