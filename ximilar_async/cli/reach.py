"""Waiting for a service that does not answer when a command begins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ximilar_async._config import Retry
from ximilar_async.errors import XimilarError

from . import failures
from .screen import say

if TYPE_CHECKING:
    from ximilar_async._collection import Collection

    from .options import Output
    from .run_options import Run

_FIRST_WAIT: Final = 1.0
"""Seconds until the service is asked once more; each time twice as many."""

_LONGEST_WAIT: Final = 15.0


async def reached(collection: Collection, run_: Run, output: Output) -> None:
    """Return once the service answers and takes the token, before anything is read.

    One that does not answer is waited for as one that stops answering within a run: a restart at
    the hour of a nightly job must not cost the night.

    Args:
        collection: What is to be worked on.
        run_: How long to wait (`give_up_after`, `deadline`).
        output: Whether to say so.

    Raises:
        XimilarError: what is wrong, or was still wrong when the time was over.
    """
    loop = asyncio.get_running_loop()
    began, wait = loop.time(), _FIRST_WAIT
    patience = min(run_.give_up_after, run_.deadline or run_.give_up_after)
    once = collection.with_options(retry=Retry(attempts=1))
    while True:
        try:
            await once.ping()
        except XimilarError as error:
            left = patience - (loop.time() - began)
            if not error.retryable or left <= 0:
                raise
            if wait == _FIRST_WAIT:
                say(f"{failures.message(error)}; waiting for it, {left:.0f} s at most", output)
            await asyncio.sleep(min(wait, left))
            wait = min(2 * wait, _LONGEST_WAIT)
        else:
            return
