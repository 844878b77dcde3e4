"""The door inside the process: requests handed over without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from .faults import Disconnect

if TYPE_CHECKING:
    from ximilar_async._protocol import Request, Response

    from .service import Service


@define(eq=False)
class EmulatorTransport:
    """Carries the requests of a client to an emulator in the same process.

    For `Ximilar(transport=…)`; closing it leaves the emulator open.
    """

    _service: Service

    async def send(self, request: Request) -> Response:
        """Send one request and return the response.

        Raises:
            ConnectionError: the emulator is closed, or a planned fault cut the connection.
        """
        try:
            return await self._service.handle(request)
        except Disconnect:
            raise ConnectionResetError("the emulator cut the connection") from None

    async def aclose(self) -> None:
        """Do nothing: the emulator belongs to whoever opened it."""
