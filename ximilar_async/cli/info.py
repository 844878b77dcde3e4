"""`count`, `ping` and `account`: one question, one answer."""

from collections.abc import Awaitable, Callable
from typing import Final

from ximilar_async.bulk._export import record_count
from ximilar_async.client import Ximilar

from .connect import any_collection, find_collection, open_client
from .options import Access, Output, Place
from .screen import put, put_json
from .signals import run
from .tables import pairs_view

COUNT_EXAMPLES: Final = """
[bold]Examples[/bold]
  ximilar-async count -c shoes-id -s fashion
  ximilar-async count -c c1 --emulator data/ --json
"""

PING_EXAMPLES: Final = """
[bold]Examples[/bold]
  ximilar-async ping -s fashion
  ximilar-async ping --url http://127.0.0.1:8900
"""

ACCOUNT_EXAMPLES: Final = """
[bold]Examples[/bold]
  ximilar-async account
  ximilar-async account --token-file token.txt --json
"""


def count(place: Place, access: Access, output: Output) -> int:
    """Print how many records a collection holds."""

    async def ask(client: Ximilar) -> None:
        collection = find_collection(client, place)
        number = await record_count(collection)
        if output.json:
            put_json({"collection": collection.id, "service": collection.service, "count": number})
        else:
            put(str(number))

    return _asked(access, ask)


def ping(place: Place, access: Access, output: Output) -> int:
    """Tell whether a service is there, and what runs in it."""

    async def ask(client: Ximilar) -> None:
        answer = await any_collection(client, place).ping()
        if output.json:
            put_json(answer.raw)
        else:
            put(answer.info or answer.status.text or "OK")

    return _asked(access, ask)


def account(access: Access, output: Output) -> int:
    """Show the account that the token belongs to, with its credits."""

    async def ask(client: Ximilar) -> None:
        answer = await client.account()
        if output.json:
            put_json(answer.raw)
        else:
            put(pairs_view(answer.raw))

    return _asked(access, ask)


def _asked(access: Access, ask: Callable[[Ximilar], Awaitable[None]]) -> int:
    async def work(_: object) -> int:
        async with open_client(access) as client:
            await ask(client)
        return 0

    return run(work)
