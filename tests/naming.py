"""Names of parametrized tests that are the same in every process, which pytest-xdist asks for."""

from __future__ import annotations

import re


def by_value(value: object) -> str:
    """Return a value's repr, short and without the address or the chance order that some have."""
    if isinstance(value, set | frozenset):
        value = sorted(value, key=repr)
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))[:40]
