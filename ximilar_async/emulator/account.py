"""The account that every token of the emulator belongs to, and its credits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

if TYPE_CHECKING:
    from .folder import Folder

SEARCH_BY_ID: Final = 1
"""Credits of a search by the `_id` of a stored record."""
SEARCH_BY_IMAGE: Final = 10
"""Credits of a search by an image."""
INSERT: Final = 1
"""Credits of a stored record: an assumption, the price of an insert is not published."""

_CREDITS_LIMIT: Final = 2**31 - 1


@define(eq=False)
class Account:
    """Counts the credits spent, by all collections together.

    Example:
        >>> account = Account()
        >>> account.charge(SEARCH_BY_IMAGE)
        >>> account.details()["credits_counter"]
        10
    """

    _spent: int = field(default=0, init=False)
    _folder: Folder | None = field(default=None, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def keep_in(self, folder: Folder) -> None:
        """Go on counting where a folder's last emulator stopped, and write down what is spent."""
        self._spent, self._folder = folder.credits, folder

    def charge(self, credits: int) -> None:
        """Count credits as spent.

        Raises:
            EmulatorError: the folder cannot keep the count.
        """
        with self._lock:
            self._spent += credits
            if self._folder is not None:
                self._folder.keep_credits(self._spent)

    def details(self) -> dict[str, Any]:
        """Return the account's details (Quickstart, "Making Your First API Request")."""
        return {
            "id": "00000000-0000-4000-8000-000000000001",
            "email": "emulator@localhost",
            "first_name": "Local",
            "last_name": "Emulator",
            "phone": None,
            "organization": "ximilar-async",
            "verified": True,
            "credits_counter": self._spent,
            "credits_limit": _CREDITS_LIMIT,
            "default_workspace": "00000000-0000-4000-8000-000000000002",
        }
