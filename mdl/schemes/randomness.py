"""Secret randomness: the operating system's, and a seeded stand-in for tests."""

import builtins
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class SystemRandomness:
    """The operating system's generator. Stateless, so a copy in another process draws other values."""

    def bytes(self, count: int, /) -> builtins.bytes:
        """Draw `count` uniform bytes."""
        return os.urandom(count)

    def below(self, bound: int, /) -> int:
        """Draw a uniform integer in [0, bound)."""
        return _below(os.urandom, bound)


class InsecureSeeded:
    """A reproducible stream of SHAKE-256 outputs. Whoever knows the seed knows every secret drawn from it."""

    def __init__(self, seed: int) -> None:
        self._seed, self._draws = seed, 0

    def bytes(self, count: int, /) -> builtins.bytes:
        """Draw the next `count` bytes of the stream."""
        self._draws += 1
        return hashlib.shake_256(f"insecure {self._seed} {self._draws}".encode()).digest(count)

    def below(self, bound: int, /) -> int:
        """Draw the stream's next integer in [0, bound)."""
        return _below(self.bytes, bound)


def insecure_seeded(seed: int) -> InsecureSeeded:
    """Make a generator whose draws depend on `seed` alone. For tests and known answers only."""
    return InsecureSeeded(seed)


def _below(draw: Callable[[int], bytes], bound: int) -> int:
    """Draw as many bits as bound - 1 has until they are below `bound`: a reduction would not be uniform."""
    assert bound > 0
    bits = (bound - 1).bit_length()
    count = -(-bits // 8)
    while True:
        # At most every second draw is refused, as the bits beyond those of bound - 1 are dropped first.
        value = int.from_bytes(draw(count), "big") >> (8 * count - bits)
        if value < bound:
            return value
