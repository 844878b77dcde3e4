"""What goes wrong: for the one who runs the emulator, and for the one who calls it."""

from __future__ import annotations


class EmulatorError(RuntimeError):
    """The emulator cannot do its work: port taken, folder in use, strange file, disk full."""


class Refusal(Exception):  # noqa: N818 - an answer of the service, not a mishap of the emulator
    """A call that is answered with an error instead of a result.

    Args:
        code: The code, "aligned with HTTP status codes" (Visual Search, Ping); also the HTTP
            status.
        text: What is wrong, for the person who called.
        detail: Whether the body is `{"detail": text}`, the shape of the gateway before the service,
            and not `{"status": {"code", "text"}}`, the shape of the service itself.
        headers: Further HTTP headers of the answer.

    Example:
        >>> Refusal(400, "`records` is missing").code
        400
    """

    def __init__(
        self, code: int, text: str, *, detail: bool = False, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.detail = detail
        self.headers = headers or {}
