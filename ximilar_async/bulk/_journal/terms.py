"""Whether a run may go on with a journal that another one began. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import field, frozen

from ximilar_async.errors import ConfigError, JournalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .codec import Start

_ANEW = "name another journal to begin anew"


def _as_json(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = orjson.loads(orjson.dumps(dict(settings or {})))
    except TypeError as error:
        raise ConfigError(f"the settings of a journal must be JSON values: {error}") from None
    return plain


@frozen(kw_only=True)
class Terms:
    """What must be the same in all runs of a journal.

    Args:
        operation: What is done with the records.
        fingerprint: The input's fingerprint; None where it has none.
        settings: Options that decide what a run means, as JSON values.
    """

    operation: str
    fingerprint: str | None
    settings: dict[str, Any] = field(converter=_as_json)

    def check(self, before: Start, *, name: str) -> None:
        """Hold these terms against those of the run before.

        Args:
            before: The first line of the run before.
            name: What messages call the journal.

        Raises:
            JournalError: they differ; the message names what, and says what can be done.
        """
        if before.operation != self.operation:
            raise JournalError(
                f"{name} belongs to a run of {before.operation}, and this is one of "
                f"{self.operation}; {_ANEW}"
            )
        for key in sorted(before.settings.keys() | self.settings):
            then, now = before.settings.get(key), self.settings.get(key)
            if then != now:
                raise JournalError(
                    f"{name} belongs to a run with {key} = {then!r}, and now it is {now!r}; set it "
                    f"back to go on, or {_ANEW}"
                )
        if before.input != self.fingerprint:
            raise JournalError(
                f"{name} belongs to {_other_input(before.input, self.fingerprint)}: going on would "
                f"skip and send the wrong records. Bring the input back as it was to go on, or "
                f"{_ANEW} (records that are stored already are then reported as such)"
            )


_MAPPED: Final = re.compile(r"(?P<rows>.+)/[0-9a-f]{16}", re.DOTALL)
"""A fingerprint of rows together with that of their mapping."""


def _other_input(before: str | None, now: str | None) -> str:
    """Return what a journal belongs to, if it is not what there is now."""
    if before is None or now is None:
        unknown = "records of the program itself, which nobody can tell again"
        then, today = (unknown if one is None else "a file or folder" for one in (before, now))
        return f"a run of {then}, and this is one of {today}"
    then_mapped, now_mapped = _MAPPED.fullmatch(before), _MAPPED.fullmatch(now)
    if then_mapped and now_mapped and then_mapped["rows"] == now_mapped["rows"]:
        return "the same input with another mapping"
    return "another input, or to this one before it was changed"
