"""Rules that say which requests fail, and a plan made of them that does the same each time."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import Factory, define, field, frozen

from ximilar_async._endpoints import ACCOUNT, METHODS

from .fault import Fault  # noqa: TC001 - examples in this module make one

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from attrs import Attribute

    from ximilar_async._protocol import Request

ACCOUNT_NAME: Final = "account"
"""How a rule names the one call that is no method of a collection."""

_HOLDERS: Final = ("records", "query_records", "query_record")
"""Fields of a body that hold records."""


def _names(value: str | Iterable[str]) -> frozenset[str]:
    try:
        return frozenset({value} if isinstance(value, str) else value)
    except TypeError:
        raise ValueError(f"methods and ids are lists of texts, not {value!r:.100}") from None


def _known(_: object, __: Attribute[Any], value: frozenset[str]) -> None:
    known = {*METHODS, ACCOUNT_NAME}
    for name in value - known:
        raise ValueError(f"there is no method {name!r}; there are {', '.join(sorted(known))}")


def _ids(_: object, attribute: Attribute[Any], value: frozenset[Any]) -> None:
    for id_ in value:
        if not isinstance(id_, str):
            raise ValueError(f"{attribute.name} must be texts, not {id_!r}")  # noqa: TRY004 - a setting


def _chance(_: object, attribute: Attribute[Any], value: Any) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} must be a number from 0 to 1, not {value!r}")


def _count(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and (type(value) is not int or value < 1):
        raise ValueError(f"{attribute.name} must be a whole number from 1 on, not {value!r}")


@frozen(kw_only=True)
class Rule:
    """Which requests fail, and how; the functions of `faults` make them.

    A request is counted by the rule when method and ids fit; `first`, `last` and `every` go by that
    count: overall without `methods`, by method with them.

    Raises:
        ValueError: a setting makes no sense.

    Example:
        >>> rule = Rule(fault=Fault(disconnect=True), methods="insert", first=3, last=5)
        >>> [number for number in range(1, 8) if rule.is_due(number)]
        [3, 4, 5]
    """

    fault: Fault
    """What becomes of the requests."""
    name: str = "fault"
    """How the rule is called where its hits are counted."""
    chance: float = field(default=1.0, validator=_chance)
    """Probability that a request fails to which all else applies."""
    methods: frozenset[str] = field(default=frozenset(), converter=_names, validator=_known)
    """The methods that it is about, by their names on the wire; none for all."""
    ids: frozenset[str] = field(default=frozenset(), converter=_names, validator=_ids)
    """It is about requests with one of these records; none for all."""
    first: int = field(default=1, validator=_count)
    """Number of the first request that fails."""
    last: int | None = field(default=None, validator=_count)
    """Number of the last request that fails; None for no end."""
    every: int = field(default=1, validator=_count)
    """Only every so many-th request from `first` on."""
    times_each: int | None = field(default=None, validator=_count)
    """So often the same record fails (the same request where it holds no record); then no more."""

    def __attrs_post_init__(self) -> None:
        if self.last is not None and self.last < self.first:
            raise ValueError(f"last must not be below first ({self.first}), but is {self.last}")

    def concerns(self, method: str, ids: frozenset[str]) -> bool:
        """Tell whether a request is counted by this rule."""
        of_method = not self.methods or method in self.methods
        return of_method and not (self.ids and self.ids.isdisjoint(ids))

    def is_due(self, number: int) -> bool:
        """Tell whether the request of this number, as the rule counts, may fail."""
        within = number >= self.first and (self.last is None or number <= self.last)
        return within and (number - self.first + 1) % self.every == 0


@define
class _Asked:
    """A request as rules see it; the body is read when one asks for it."""

    request: Request
    method: str

    @cached_property
    def ids(self) -> frozenset[str]:
        """Return the `_id`s of the records in the request."""
        try:
            body = orjson.loads(self.request.body)
        except orjson.JSONDecodeError:
            return frozenset()
        return frozenset(_ids_in(body))


def _ids_in(body: Any) -> Iterable[str]:
    for name in _HOLDERS if isinstance(body, dict) else ():
        held = body.get(name)
        for record in held if isinstance(held, list) else [held]:
            id_ = record.get("_id") if isinstance(record, dict) else None
            if isinstance(id_, str):
                yield id_


def method_of(url: str) -> str:
    """Return the method that an address names, as it stands there.

    Example:
        >>> method_of("http://localhost/similarity/photos/v2/allRecords?page=2")
        'allRecords'
    """
    path = url.split("?", 1)[0].rstrip("/")
    return ACCOUNT_NAME if path.endswith(ACCOUNT.path.rstrip("/")) else path.rsplit("/", 1)[-1]


@define
class _Tally:
    """What a rule has seen so far."""

    rule: Rule
    dice: str
    """Seed of this rule's chances."""
    seen: int = 0
    hits: int = 0
    failed: Counter[str | bytes] = Factory(Counter)

    def counts(self, asked: _Asked) -> bool:
        """Count a request if it concerns the rule, and tell whether its turn has come."""
        if not self.rule.concerns(asked.method, asked.ids if self.rule.ids else frozenset()):
            return False
        self.seen += 1
        return self.rule.is_due(self.seen) and self._falls(self.seen)

    def _falls(self, number: int) -> bool:
        """Draw for one request: the same seed and number fall the same way each time."""
        return self.rule.chance == 1 or Random(f"{self.dice}/{number}").random() < self.rule.chance  # noqa: S311 - no secret

    def takes(self, asked: _Asked) -> bool:
        """Take a request whose turn has come, unless its records had their share."""
        if (most := self.rule.times_each) is not None:
            ids: frozenset[str] = asked.ids & self.rule.ids if self.rule.ids else asked.ids
            keys: Iterable[str | bytes] = ids or [asked.method.encode() + b" " + asked.request.body]
            if all(self.failed[key] >= most for key in keys):
                return False
            self.failed.update(keys)
        self.hits += 1
        return True


class Faults:
    """A plan made of rules, for `Emulator(faults=…)`; the first rule that applies decides.

    The same requests in the same order fail in the same way each time: chances are drawn from the
    seed and from how many requests a rule has counted. Every rule counts every request that it is
    about, also one for which an earlier rule has decided.

    Args:
        rules: What can go wrong; the functions of `faults` make them.
        seed: Of all chances.

    Raises:
        ValueError: something given is no rule.

    Example:
        >>> from ximilar_async.emulator import faults
        >>> plan = Faults(faults.unavailable(first=1, last=2), faults.lost_answer(chance=0.1))
        >>> plan.hits
        {'unavailable': 0, 'lost_answer': 0}
    """

    def __init__(self, *rules: Rule, seed: int = 0) -> None:
        for rule in rules:
            if not isinstance(rule, Rule):
                raise ValueError(f"Faults takes rules, not {rule!r:.100}")  # noqa: TRY004 - a setting
        self._tallies = [_Tally(rule, f"{seed}/{place}") for place, rule in enumerate(rules)]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in order."""
        return tuple(tally.rule for tally in self._tallies)

    @property
    def hits(self) -> Mapping[str, int]:
        """How many requests each rule has failed so far, by its name."""
        counts: dict[str, int] = {}
        for tally in self._tallies:
            counts[tally.rule.name] = counts.get(tally.rule.name, 0) + tally.hits
        return counts

    def __call__(self, request: Request, _: int) -> Fault | None:
        """Decide about a request; rules count for themselves, whatever its number overall."""
        asked = _Asked(request, method_of(request.url))
        due = [tally for tally in self._tallies if tally.counts(asked)]
        return next((tally.rule.fault for tally in due if tally.takes(asked)), None)
