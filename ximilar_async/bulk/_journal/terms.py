"""Whether a run may go on with a journal that another one began. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
                f"{name} belongs to {_input(before.input)}, and now there is "
                f"{_input(self.fingerprint)}: going on would skip and send the wrong records. "
                f"Bring the input back as it was to go on, or {_ANEW} (records that are stored "
                "already are then reported as such)"
            )


def _input(fingerprint: str | None) -> str:
    return "an input without a fingerprint" if fingerprint is None else f"the input {fingerprint}"
