"""Tasks that each have a link to close."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from mdl.transport.links import Link


class LinkTasks:
    """Running tasks, and the link that each of them closes at its end."""

    def __init__(self) -> None:
        self._links: dict[asyncio.Task[None], Link] = {}

    def start(self, link: Link, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine as one of these tasks until it ends."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._links[task] = link
        task.add_done_callback(self._links.pop)

    async def wait(self, timeout_seconds: float) -> None:
        """Wait until all have ended, but not longer than so."""
        if self._links:
            await asyncio.wait(self._links, timeout=timeout_seconds)

    async def stop(self) -> None:
        """Break the links of tasks and see both closed."""
        stopping = dict(self._links)
        for task, link in stopping.items():
            link.abort()
            task.cancel()
        await asyncio.gather(*stopping, return_exceptions=True)
        for link in stopping.values():
            # A task that was cancelled before its first step has closed nothing.
            await link.close()
