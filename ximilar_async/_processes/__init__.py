"""Requests carried by processes of their own, for machines with cores to spare.

The parent keeps everything that must be one: reader, quota, retries, journal, accounts. It puts
requests together and reads answers; HTTP and TLS, most of a request's cost, go on in N sender
processes, each with a pool of connections:

    session → ProcessTransport ⇄ socket pair ⇄ a sender process: AiohttpTransport ⇄ the service

`_link` is one end of such a socket, `_sender` the parent's view of one process, `_pool` the
transport, `__main__` what runs in the process. Whole requests travel, so a process keeps nothing
that could be lost: when one dies, its requests are in doubt as after a broken connection, and the
parent deals with them as always.
"""

from __future__ import annotations

from ._pool import ProcessTransport

__all__ = ["ProcessTransport"]
