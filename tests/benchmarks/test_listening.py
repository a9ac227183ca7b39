"""The socket that the sink and the loaded server listen on."""

import asyncio
import socket

from tests.benchmarks.listening import loopback


async def test_connections_are_taken_at_once_and_without_delay() -> None:
    """As soon as its port can be told, and with TCP_NODELAY on each of them."""
    delays: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken = writer.get_extra_info("socket")
        delays.set_result(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with loopback() as listening:
        client = socket.create_connection(listening.getsockname())
        async with await asyncio.start_server(accepted, sock=listening):
            assert await delays
        client.close()
