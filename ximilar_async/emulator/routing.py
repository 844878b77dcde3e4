"""Addresses: which service, which method, which verb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from attrs import field, frozen

from ximilar_async._endpoints import ACCOUNT, METHODS

from .errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_FOUND: Final = 404
_NOT_ALLOWED: Final = 405

_TAG_FIELDS: Final[Mapping[str, str]] = {
    "similarity/products-new": "_tags_simple",
    "similarity/products": "_tags_simple",
    "similarity/fashion-new": "_tags_simple",
    "similarity/fashion": "_tags_simple",
    "similarity/custom": "_tags",
}
"""Name of the tags field by service (Visual Tags KNN); `tags` for all others."""

_BARE_PREFIXES: Final = frozenset({"", "image_matching"})
"""Prefixes without a slash. The empty one stands in the documents' own `next` links (All
Records)."""


@frozen
class Route:
    """Where a request goes."""

    method: str
    """The method's name on the wire; empty for the account."""
    prefix: str = ""
    """The service's prefix."""
    base: str = ""
    """Scheme and host."""
    query: Mapping[str, str] = field(factory=dict)

    @property
    def tags_field(self) -> str:
        """Return the name of the tags field in this service's records."""
        return _TAG_FIELDS.get(self.prefix, "tags")


def find_route(verb: str, url: str) -> Route:
    """Return where a request goes.

    Any prefix with a slash is a service: the known ones, the deprecated ones, the one that the
    overview misprints (`similarity/homedeco-newr`), and those of private clouds.

    Args:
        verb: The HTTP method.
        url: The whole address.

    Raises:
        Refusal: 404 for an address that no service has, 405 for a verb that the method does not
            know.

    Example:
        >>> find_route("POST", "http://localhost/similarity/fashion-new/v2/visualKNN").method
        'visualKNN'
    """
    parts = urlsplit(url)
    path = parts.path.lstrip("/")
    base = f"{parts.scheme}://{parts.netloc}"
    if path.rstrip("/") == ACCOUNT.path.rstrip("/"):
        _check_verb(verb, {"GET"})
        return Route("", base=base)
    prefix, _, method = f"/{path}".rpartition("/v2/")
    prefix = prefix.strip("/")
    known = "/" in prefix or prefix in _BARE_PREFIXES
    if not known or method not in METHODS:
        raise Refusal(_NOT_FOUND, "Not found.", detail=True)
    # "All API methods use the POST method", and the examples of two of them use GET.
    _check_verb(verb, {"POST", METHODS[method].verb})
    return Route(method, prefix, base, dict(parse_qsl(parts.query, keep_blank_values=True)))


def _check_verb(verb: str, allowed: set[str]) -> None:
    if verb not in allowed:
        raise Refusal(
            _NOT_ALLOWED,
            f'Method "{verb}" not allowed.',
            detail=True,
            headers={"allow": ", ".join(sorted(allowed))},
        )
