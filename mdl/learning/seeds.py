"""Experiment randomness: independent streams from the experiment's seed. Never used for anything secret."""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream is drawn for. The numbers are part of the meaning of a seed: never renumber them."""

    TRAIN_LIMIT = 1
    TEST_LIMIT = 2
    SPLIT = 3
    INITIAL_PARAMETERS = 4
    DATA_ORDER = 5
    LOCAL_TRAINING = 6


def generator(seed: int, purpose: Purpose, *place: int) -> np.random.Generator:
    """Make the stream for `purpose` at `place` (say, party and epoch), the same each time it is asked for."""
    return np.random.default_rng(_sequence(seed, purpose, *place))


def torch_seed(seed: int, purpose: Purpose, *place: int) -> int:
    """Draw the 63-bit seed that torch's generator gets for `purpose` at `place`."""
    return int(_sequence(seed, purpose, *place).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _sequence(seed: int, purpose: Purpose, *place: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(int(purpose), *place))
