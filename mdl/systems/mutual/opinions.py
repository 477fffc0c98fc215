"""What a party asks the other one about, and which of its opinions it learns from."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from mdl.errors import MdlError
from mdl.system import Arrays
from mdl.vectors import Floats

Numbers = NDArray[np.int64]


def due(epoch: int, examples: int, *, refresh: float, answered: int, limit: int | None) -> int:
    """Give how many of its examples a party asks about in an epoch; both parties, and a dealer, know it.

    Nothing is asked in the first epoch, before which there is nothing to be taught.

    Args:
        epoch: from 1.
        examples: that the party has.
        refresh: κ.
        answered: how many answers the other one has given.
        limit: how many it gives in all; None for any number.
    """
    if epoch == 1:
        return 0
    wanted = min(examples, ceil(round(examples * refresh, 6)))
    return wanted if limit is None else max(0, min(wanted, limit - answered))


class Turns:
    """Whose turn it is: all examples one after the other, in an order of the run's, again and again.

    Args:
        examples: how many there are.
        seed: of the order, which tells nothing.
    """

    def __init__(self, examples: int, seed: int) -> None:
        self._order = np.random.default_rng(seed).permutation(examples)

    def next(self, asked: int, count: int) -> Numbers:
        """Give the next ones.

        Args:
            asked: how many were asked about before.
            count: how many to give, at most all.
        """
        return self._order[(asked + np.arange(count)) % len(self._order)]


@dataclass
class Known:
    """What the other one has said until now.

    Attributes:
        scores: the newest answer on each example, shape (n, classes), float32.
        known: whether there is one, shape (n,).
    """

    scores: NDArray[np.float32]
    known: NDArray[np.bool_]

    @staticmethod
    def restored(kept: Arrays | None, examples: int, classes: int) -> "Known":
        """Go on with what a checkpoint kept; begin with nothing if there is none.

        Raises:
            MdlError: it is one of other examples or classes.
        """
        if kept is None:
            return Known(np.zeros((examples, classes), np.float32), np.zeros(examples, np.bool_))
        if kept["scores"].shape != (examples, classes):
            raise MdlError("the checkpoint is one of other examples or classes: not the same experiment")
        return Known(kept["scores"].copy(), kept["known"].copy())

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.scores.shape[1])

    def take(self, numbers: Numbers, answers: Floats) -> None:
        """Take up answers on some examples, shape (count, classes).

        One that is not finite, which only a party that does not follow the protocol gives, is none.
        """
        finite = np.isfinite(answers).all(1)
        self.scores[numbers[finite]] = answers[finite]
        self.known[numbers] = finite

    def right(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say on which examples the best class is the label, shape (n,); False where nothing is known."""
        return np.asarray(self.known & (self.scores.argmax(1) == labels))

    def agreeing(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say on which examples the label is as likely as by a guess, or likelier, shape (n,).

        An opinion whose best class is another one has still much to tell, of how likely the others are. One
        that was learnt from wrong labels finds the right one unlikely. Of an opinion that is told as a best
        class alone, 1 among zeros, no class but that one is likely enough.
        """
        powers = np.exp(self.scores - self.scores.max(1, keepdims=True))
        likely = powers[np.arange(len(labels)), labels] * self.classes >= powers.sum(1)
        return np.asarray(self.known & likely)

    def arrays(self) -> Arrays:
        """Give what a checkpoint keeps."""
        return {"scores": self.scores, "known": self.known}
