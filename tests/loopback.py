"""An ASGI application on a real uvicorn in this very loop, started and stopped without waiting."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from bot import ASGIApp

GRACE = 1.0
"""Seconds in which what is still answered may come to its end."""


class Server(uvicorn.Server):
    """Leaves the signals to pytest. Uvicorn's own sleeps 0.1 s a look, at every start and end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = asyncio.Event()
        self.over = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Pytest has its own."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does, and tell when it is done."""
        await super().startup(sockets)
        self.begun.set()

    async def main_loop(self) -> None:
        """Until it is over."""
        await self.on_tick(0)
        await self.over.wait()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nobody more, let everybody finish for a while, and hang up on the rest."""
        state = self.server_state
        for listening in self.servers:
            listening.close()
        for door in sockets or ():
            door.close()
        for connection in list(state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(GRACE):
                while state.connections or state.tasks:  # noqa: ASYNC110  # see below
                    await asyncio.sleep(0.002)  # uvicorn tells nobody
        except TimeoutError:
            for task in state.tasks:
                task.cancel()


@asynccontextmanager
async def serving(app: ASGIApp, door: socket.socket) -> AsyncIterator[None]:
    """The application on an open socket."""
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, log_level="warning", access_log=False, ws="none"
    )
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[door]))
    try:
        async with asyncio.timeout(10):
            await server.begun.wait()
        yield
    finally:
        server.over.set()
        async with asyncio.timeout(10):
            await task
