"""The journal: what makes a bulk run resumable after a stop, a crash or a power failure.

Append-only lines in one file: a request is noted before it leaves and its outcome when it is known.
The next run skips what is decided and looks closely at what was sent without an outcome.
"""

from __future__ import annotations

from .state import Resume
from .writer import Durability, Journal

__all__ = ["Durability", "Journal", "Resume"]
