"""What is tossed where randomness is enumerated: a vector has an entry for each outcome."""

from typing import Protocol

import torch
from torch import Tensor


class Tosses(Protocol):
    """Gives what is tossed, shape (size,), in [0, count)."""

    size: int
    tossed: int

    def enumerated(self, count: int) -> Tensor: ...

    def sampled(self, count: int) -> Tensor: ...


class Outcomes:
    """All outcomes, for each of some samples; what is tossed first changes fastest.

    Args:
        enumerated: how many there are; 1 to find out, as `tossed`.
        samples: of what is not enumerated.
    """

    def __init__(self, enumerated: int = 1, samples: int = 1) -> None:
        self.size, self.tossed = enumerated * samples, 1
        self._enumerated, self._samples = enumerated, samples
        self._random = torch.Generator().manual_seed(7)
        self._outcome = torch.arange(self.size) % enumerated

    def enumerated(self, count: int) -> Tensor:
        found = self._outcome // self.tossed % count
        self.tossed *= count
        return found

    def sampled(self, count: int) -> Tensor:
        tossed = torch.randint(count, (self._samples,), generator=self._random)
        return tossed.repeat_interleave(self._enumerated)


class Units:
    """Of all that is tossed one is 1, and all else is zero: each in turn. What is known is zero.

    By them a map that is linear in what is tossed is known.
    """

    def __init__(self, size: int = 1) -> None:
        self.size, self.tossed = size, 0

    def enumerated(self, count: int) -> Tensor:
        del count
        self.tossed += 1
        return (torch.arange(self.size) == self.tossed - 1).to(torch.int64)

    def sampled(self, count: int) -> Tensor:
        del count
        return torch.zeros(self.size, dtype=torch.int64)
