"""What a request costs the sink, in µs of CPU: it must stay below what any client costs.

python benchmarks/bench_sink.py [--requests 50000]
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import orjson
from sink import run, sink

if TYPE_CHECKING:
    from sink import Running

CONNECTIONS = 10


class Client(asyncio.Protocol):
    """Sends the same request over and over, each when the one before is answered.

    Args:
        request: What to send.
        count: How often.
    """

    def __init__(self, request: bytes, count: int) -> None:
        self._request = request
        self._left = count
        self._transport: asyncio.Transport
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Send the next; a small answer comes in one piece."""
        assert data.endswith(b"}")
        self._left -= 1
        if self._left > 0:
            self._transport.write(self._request)
        else:
            self._transport.close()
            self.done.set_result(None)


def request() -> bytes:
    """Return an insert of 10 small records, with the headers that clients send."""
    records = [
        {"_id": f"sku-{n:08}", "_url": f"https://example.com/{n}.jpg", "price": n}
        for n in range(10)
    ]
    body = orjson.dumps({"fields_to_return": ["_id"], "records": records})
    head = (
        "POST /similarity/photos/v2/insert HTTP/1.1\r\nHost: localhost:8000\r\n"
        "accept: application/json\r\naccept-encoding: gzip, deflate\r\nAuthorization: Token "
        f"{'0' * 40}\r\ncollection-id: bench\r\nContent-Type: application/json;charset=UTF-8\r\n"
        f"User-Agent: Python/3.11 aiohttp/3.14\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def press(server: Running, requests: int) -> None:
    """Send so many requests over a few connections."""
    address, loop = urlsplit(server.url), asyncio.get_running_loop()
    tls = server.certificate and ssl.create_default_context(cafile=server.certificate)
    clients = []
    for _ in range(CONNECTIONS):
        _, client = await loop.create_connection(
            lambda: Client(request(), requests // CONNECTIONS),
            address.hostname,
            address.port,
            ssl=tls,
        )
        clients.append(client.done)
    async with asyncio.timeout(120):
        await asyncio.gather(*clients)


def measure(name: str, requests: int, **options: Any) -> None:
    """Print what a request costs a sink with such options."""
    with sink(**options) as server:
        run(press(server, requests // 10))
        before, start, own = server.statistics(), time.perf_counter(), time.process_time()
        run(press(server, requests))
        elapsed, own = time.perf_counter() - start, time.process_time() - own
        cpu = server.statistics()["cpu"] - before["cpu"]
    each = 1e6 / (requests // CONNECTIONS * CONNECTIONS)
    print(f"{name:24} {cpu * each:10.1f} {own * each:10.1f} {requests / elapsed:14,.0f}")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--requests", type=int, default=50_000)
    requests = parser.parse_args().requests
    print(f"{'µs of CPU a request':24} {'sink':>10} {'client':>10} {'requests/s':>14}")
    measure("plain", requests)
    measure("counting ids", requests, count=True)
    measure("remembering", requests, remember=True)
    measure("3 ms and a slow tail", requests, latency=0.003, slow=0.05, slow_latency=0.01)
    measure("TLS", requests, tls=True)


if __name__ == "__main__":
    main()
