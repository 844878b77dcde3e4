"""One end of the socket between parent and sender process: frames in, frames out.

A frame is a fixed head (kind, number, mark, two lengths), a part in JSON and a body as it is. No
body is encoded again, so large ones cost their copying and no more; what is put while the event
loop is busy goes out in one write.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import orjson

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

READY: Final = 0
"""From the process: it takes requests now."""
REQUEST: Final = 1
"""To the process: a body; the mark names its `[verb, url, headers]`, told with the first."""
CANCEL: Final = 2
"""To the process: nobody waits for this number any more."""
ANSWER: Final = 3
"""From the process: the status as mark, the headers, and the body."""
FAILURE: Final = 4
"""From the process: `[name of our error's class, its text]`."""

_HEAD: Final = struct.Struct("<BQIIQ")

Take: TypeAlias = "Callable[[int, int, int, bytes, bytes], None]"
"""Is given the parts of a frame that came: kind, number, mark, JSON, body."""

_MOST_UNSENT: Final = 2**20
"""Bytes above which a link counts as full until the other side has caught up."""

_LARGE: Final = 2**16
"""Bytes of a body from which it does not wait for others to share a write with."""


class Link(asyncio.Protocol):
    """Sends and receives frames.

    Args:
        take: Is given each frame that came.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self.loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._unsent: list[bytes] = []
        self._pieces: list[bytes] = []
        self._missing = 0
        self._room: Callable[[], None] = _nothing
        self.is_full = False
        """Whether the other side is behind."""
        self.lost: asyncio.Future[None] = self.loop.create_future()
        """Done when the other end is closed."""

    def when_room(self, tell: Callable[[], None]) -> None:
        """Call this function whenever the link is no longer full."""
        self._room = tell

    def put(
        self, kind: int, number: int, mark: int = 0, head: bytes = b"", body: bytes = b""
    ) -> None:
        """Send a frame, together with all others of this turn of the event loop."""
        if not self._unsent:
            self.loop.call_soon(self._flush)
        self._unsent.append(_HEAD.pack(kind, number, mark, len(head), len(body)) + head)
        if body:
            self._unsent.append(body)
        if len(body) > _LARGE:
            self._flush()  # whoever comes next sees that the link is full

    def close(self) -> None:
        """Close this end at once."""
        self._transport.abort()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if not unsent or self._transport.is_closing():
            return
        large = unsent.pop() if len(unsent[-1]) > _LARGE else b""
        # Not `writelines`: before 3.12.8 and 3.13.1 asyncio does not tell that it is full then.
        self._transport.write(b"".join(unsent))
        if large:
            self._transport.write(large)

    # --- called by the event loop ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._transport.set_write_buffer_limits(_MOST_UNSENT)

    def data_received(self, data: bytes) -> None:
        """Hand on every frame that is whole now."""
        if self._pieces:
            self._pieces.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._pieces)
            self._pieces.clear()
        start, length = 0, len(data)
        end = _HEAD.size
        while end <= length:
            kind, number, mark, head, body = _HEAD.unpack_from(data, start)
            middle = start + _HEAD.size + head
            end = middle + body
            if end > length:
                break
            self._take(kind, number, mark, data[start + _HEAD.size : middle], data[middle:end])
            start, end = end, end + _HEAD.size
        if start < length:
            self._pieces.append(data[start:] if start else data)
            self._missing = end - length

    def pause_writing(self) -> None:
        """Note that the other side is behind."""
        self.is_full = True

    def resume_writing(self) -> None:
        """Note that it has caught up."""
        self.is_full = False
        self._room()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Note the end, however it came."""
        if not self.lost.done():
            self.lost.set_result(None)


def _nothing() -> None:
    pass


async def linked(end: socket.socket, take: Take) -> Link:
    """Return the link over one end of a socket pair.

    Args:
        end: The socket; it belongs to the link from now on.
        take: Is given each frame that came.
    """
    loop = asyncio.get_running_loop()
    _, link = await loop.create_unix_connection(lambda: Link(take), sock=end)
    return link


def packed(value: Any) -> bytes:
    """Return the part of a frame that is JSON; text that is not UTF-8 becomes question marks.

    Headers of a hostile server may hold such text; nothing of ours does.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(_readable(value))


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_readable(name): _readable(each) for name, each in value.items()}
    return [_readable(each) for each in value] if isinstance(value, (list, tuple)) else value
