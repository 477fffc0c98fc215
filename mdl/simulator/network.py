"""Modelled links: a fixed latency, a bandwidth, and some jitter drawn from the schedule's seed."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """What every link is like, in each direction.

    Attributes:
        latency_seconds: from the last byte's leaving to its arrival.
        bandwidth_bytes_per_second: of one link; None for unlimited.
        jitter_seconds: up to so much more latency, drawn anew for each message. Messages of one link never
            overtake.
    """

    latency_seconds: float = 0.0
    bandwidth_bytes_per_second: float | None = None
    jitter_seconds: float = 0.0

    def transfer_seconds(self, size_bytes: int) -> float:
        """How long the link is busy with a message."""
        return size_bytes / self.bandwidth_bytes_per_second if self.bandwidth_bytes_per_second else 0.0


class Wire:
    """One direction of one link: carries parcels in order, each after its time."""

    def __init__(self, network: Network, rng: random.Random) -> None:
        self._network, self._rng = network, rng
        self._free_at = 0.0
        self._under_way: deque[Callable[[], None]] = deque()
        self._cut = False

    async def carry(self, size_bytes: int, deliver: Callable[[], None]) -> None:
        """Put a parcel on the wire; return when its last byte has left (the link has room again)."""
        leaves = self.append(deliver, size_bytes)
        now = asyncio.get_running_loop().time()
        if leaves > now:
            await asyncio.sleep(leaves - now)

    def append(self, deliver: Callable[[], None], size_bytes: int = 0) -> float:
        """Put a parcel on the wire; give the time at which its last byte leaves."""
        loop = asyncio.get_running_loop()
        self._free_at = max(loop.time(), self._free_at) + self._network.transfer_seconds(size_bytes)
        # Which timer fires first does not matter: each takes the oldest parcel, so order is kept.
        self._under_way.append(deliver)
        jitter = self._rng.uniform(0, self._network.jitter_seconds)
        loop.call_at(self._free_at + self._network.latency_seconds + jitter, self._arrive)
        return self._free_at

    def cut(self) -> None:
        """Lose whatever is still under way."""
        self._cut = True

    def _arrive(self) -> None:
        parcel = self._under_way.popleft()
        if not self._cut:
            parcel()
