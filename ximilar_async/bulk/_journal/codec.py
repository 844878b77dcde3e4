r"""The lines of a journal: values to bytes and back. Pure.

A line is eight hexadecimal digits (the CRC-32 of the JSON), a space, an object of one member whose
name is the line's kind, and LF:

    5d41402a {"start":{"v":1,"journal":"0c…","run":1,"operation":"insert",…}}
    a1b2c3d4 {"send":"1-10"}
    0f9e8d7c {"done":{"inserted":"1-8,10","already_present":"9"}}
    12ab34cd {"watermark":{"upto":10,"counts":{"inserted":9,…},"decided":"","sent":""}}
    98fedcba {"end":{"read":10,"complete":true,"stop":null}}

Records are named by their number in the input, from 1, and never by `_id`: ids may come twice.
Neither records nor tokens are in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias
from zlib import crc32

import orjson
from attrs import asdict, field, frozen

from ximilar_async.bulk._outcomes import Outcome
from ximilar_async.errors import JournalError

from .ranges import format_ranges, parse_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .ranges import Ranges

VERSION: Final = 1
"""Version of the format; a journal of another one is refused, never guessed at."""

HEAD: Final = b'{"start":{"v":'
"""What the JSON of every journal's first line begins with."""

_CRC_DIGITS = 8


@frozen(kw_only=True)
class Start:
    """A run begins: on a new journal, or on one that it resumes."""

    journal: str
    """Name of the journal, the same in all its runs; a marker for `attribution="exact"`."""
    run: int
    """Number of the run, from 1."""
    operation: str
    """What is done with the records."""
    input: str | None
    """The input's fingerprint; None where it has none."""
    settings: Mapping[str, Any] = field(factory=dict)
    """Options that decide what the run means, by name."""
    boot: str | None = None
    """Which start of which machine this is; None if unknown."""
    pid: int = 0
    """The process that writes."""
    at: str = ""
    """When, for people."""
    doubt: bool = False
    """Whether lines may be missing, so that whatever is undecided here may have been sent."""


@frozen
class Send:
    """A request with these records is about to leave."""

    ranges: Ranges


@frozen
class Done:
    """What became of some records."""

    outcomes: Mapping[Outcome, Ranges]


@frozen(kw_only=True)
class Watermark:
    """The state of the whole run in one line; what stands before it is not needed any more."""

    upto: int
    """Every record up to this number is decided."""
    counts: Mapping[Outcome, int]
    """How many records ended in each outcome, those above `upto` included."""
    decided: Ranges = ()
    """The decided records above `upto`."""
    sent: Ranges = ()
    """Records that were sent and are not decided."""


@frozen(kw_only=True)
class End:
    """The run ended in good order: nothing is under way."""

    read: int
    """Records that the input has, or that were read of it before a stop."""
    complete: bool
    """Whether the input was read to its end and every record is decided."""
    stop: str | None = None
    """Why the run ended early, if it did."""


Line: TypeAlias = Start | Send | Done | Watermark | End


def encode(line: Line) -> bytes:
    r"""Return a line as bytes, its LF included.

    Example:
        >>> encode(Send(((1, 10),)))
        b'bdb512cb {"send":"1-10"}\n'
    """
    match line:
        case Send():
            body = b'{"send":"%b"}' % format_ranges(line.ranges).encode()
        case Done():
            body = b'{"done":{%b}}' % _outcomes_json(line.outcomes).encode()
        case Start():
            body = orjson.dumps({"start": {"v": VERSION, **_members(line)}})
        case Watermark():
            counts = {outcome.value: number for outcome, number in line.counts.items()}
            state = {"upto": line.upto, "counts": counts}
            sets = {"decided": format_ranges(line.decided), "sent": format_ranges(line.sent)}
            body = orjson.dumps({"watermark": {**state, **sets}})
        case End():
            body = orjson.dumps({"end": _members(line)})
    return b"%08x %b\n" % (crc32(body), body)


def decode(line: bytes) -> Line | None:
    r"""Return what a line says, or None if it is damaged.

    Args:
        line: The bytes of a line, its LF included.

    Raises:
        JournalError: the line is whole, and this version does not understand it.

    Example:
        >>> decode(encode(Send(((1, 10),))))
        Send(ranges=((1, 10),))
        >>> decode(b'bdb512cb {"send":"1-1')
    """
    body = line[_CRC_DIGITS + 1 : -1]
    if line[-1:] != b"\n" or line[: _CRC_DIGITS + 1] != b"%08x " % crc32(body):
        return None
    try:
        ((kind, value),) = orjson.loads(body).items()
        return _READERS[kind](value)
    except JournalError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError):
        raise JournalError(f"{body[:60].decode(errors='replace')!r} is no line it knows") from None


def may_become_journal(head: bytes) -> bool:
    """Tell whether bytes without any LF are the beginning of a journal's first line.

    Example:
        >>> may_become_journal(b'5d41402a {"sta'), may_become_journal(b'{"_id": "1"}')
        (True, False)
    """
    crc, rest = head[:_CRC_DIGITS], head[_CRC_DIGITS:]
    begins = b" " + HEAD
    digits = all(digit in b"0123456789abcdef" for digit in crc)
    return digits and rest[: len(begins)] == begins[: len(rest)]


def _members(line: Start | End) -> dict[str, Any]:
    return asdict(line, recurse=False)


def _outcomes_json(outcomes: Mapping[Outcome, Ranges]) -> str:
    # Digits and our own names need no escaping, and this is written once a batch.
    return ",".join(
        [f'"{outcome.value}":"{format_ranges(ranges)}"' for outcome, ranges in outcomes.items()]
    )


# --- reading, with every type checked: a CRC does not tell who wrote a line ---------------------


def _start(value: Any) -> Start:
    version = value.pop("v")
    if version != VERSION:
        raise JournalError(
            f"it has format {version!r}, and this version of ximilar-async reads {VERSION}"
        )
    start = Start(**value)
    _check(_is_text(start.journal) and _is_text(start.operation) and _is_text(start.at))
    _check(start.input is None or _is_text(start.input))
    _check(start.boot is None or _is_text(start.boot))
    _check(_is_number(start.run) and _is_number(start.pid))
    _check(isinstance(start.settings, dict) and isinstance(start.doubt, bool))
    return start


def _done(value: Any) -> Done:
    outcomes = {Outcome(name): parse_ranges(text) for name, text in value.items()}
    _check(Outcome.NOT_ATTEMPTED not in outcomes)
    return Done(outcomes)


def _watermark(value: Any) -> Watermark:
    mark = Watermark(
        upto=value["upto"],
        counts={Outcome(name): number for name, number in value["counts"].items()},
        decided=parse_ranges(value["decided"]),
        sent=parse_ranges(value["sent"]),
    )
    _check(_is_number(mark.upto) and all(map(_is_number, mark.counts.values())))
    return mark


def _end(value: Any) -> End:
    end = End(**value)
    _check(_is_number(end.read) and isinstance(end.complete, bool))
    _check(end.stop is None or _is_text(end.stop))
    return end


_READERS: Mapping[str, Callable[[Any], Line]] = {
    "start": _start,
    "send": lambda value: Send(parse_ranges(value)),
    "done": _done,
    "watermark": _watermark,
    "end": _end,
}


def _check(good: bool) -> None:  # noqa: FBT001 - an assertion that stays in optimised runs
    if not good:
        raise ValueError


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return type(value) is int and value >= 0
