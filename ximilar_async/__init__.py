"""Async SDK and bulk ingestion engine for the Ximilar Visual Search API.

Open a `Ximilar` client, take a `collection()`, await its methods; `ximilar_async.bulk` brings whole
catalogs in; `ximilar_async.emulator` is a local service for trying, testing and benchmarking.
"""

from __future__ import annotations

from . import bulk, errors
from ._collection import Collection
from ._config import Limits, Retry, Service, Timeout
from ._models import (
    Account,
    Answer,
    CountAnswer,
    Match,
    PageAnswer,
    PingAnswer,
    Record,
    RecordsAnswer,
    SearchAnswer,
    Skipped,
    Status,
)
from ._version import __version__
from .client import Ximilar
from .images import ImageOptions

__all__ = [
    "Account",
    "Answer",
    "Collection",
    "CountAnswer",
    "ImageOptions",
    "Limits",
    "Match",
    "PageAnswer",
    "PingAnswer",
    "Record",
    "RecordsAnswer",
    "Retry",
    "SearchAnswer",
    "Service",
    "Skipped",
    "Status",
    "Timeout",
    "Ximilar",
    "__version__",
    "bulk",
    "errors",
]
