"""What is compared: the clients, the cases, and how much each of them sends in a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class Contender:
    """A client and one way of using it."""

    title: str
    """What tables call it."""
    code: str
    """Module and function of `contenders`."""
    theirs: bool = False
    """Whether it runs in the vendor's environment."""


CONTENDERS: Final[Mapping[str, Contender]] = {
    "wrk": Contender("wrk (C): the machine's limit", "external:wrk"),
    "bare": Contender("bare aiohttp + orjson + uvloop", "plain:bare"),
    "naive": Contender("aiohttp, `json=`", "plain:naive"),
    "httpx": Contender("httpx", "others:by_httpx"),
    "requests": Contender("requests, a Session a thread", "others:by_requests"),
    "vendor": Contender("vendor's client", "vendor:insert", theirs=True),
    "bulk": Contender("**`bulk.insert`**", "ours:bulk_insert"),
    "journal": Contender("`bulk.insert`, journal", "ours:bulk_journal"),
    "all": Contender("**`bulk.insert`, limiter, journal, rejects file**", "ours:bulk_all"),
    "insert": Contender("`collection.insert` from workers", "ours:single_insert"),
    "gather": Contender("`collection.insert`, one `gather`", "ours:gather"),
    "tasks": Contender("`collection.insert`, a task a batch", "ours:task_a_batch"),
    "knn": Contender("**`collection.visual_knn`, typed answer**", "ours:single_knn"),
    "bare_knn": Contender("bare aiohttp + orjson + uvloop, the same search", "plain:bare_knn"),
}


@frozen(kw_only=True)
class Case:
    """One comparison: every client sends the same, one after the other, round after round."""

    title: str
    clients: Mapping[str, int]
    """Requests of each client in a slice: about a second's."""
    base: str = "bare"
    """Whom the others are compared with."""
    kind: str = "url"
    """What the records bring: "url", "bytes" or "files"."""
    workers: int = 10
    tls: bool = False
    sink: Mapping[str, Any] = field(factory=dict)
    """Behaviour of the sink."""
    rounds: int | None = None
    """How many, if not as many as for the others."""
    long: bool = False
    """Whether it is left out unless asked for."""


_SMALL: Final = {
    "wrk": 20_000,
    "bare": 8000,
    "bulk": 8000,
    "journal": 8000,
    "all": 8000,
    "insert": 6000,
    "gather": 6000,
    "tasks": 6000,
    "naive": 6000,
    "httpx": 1000,
    "requests": 1500,
    "vendor": 700,
}

_IMAGES: Final = {"bare": 800, "bulk": 800, "naive": 300, "httpx": 250, "vendor": 120}

CASES: Final[Mapping[str, Case]] = {
    "small": Case(title="Small records: 10 workers, no delay", clients=_SMALL),
    "search": Case(
        title="Single searches: 10 at once, no delay",
        clients={"bare_knn": 8000, "knn": 8000},
        base="bare_knn",
    ),
}
