"""What is told of a number by its binary digits."""

from mdl.mpc.engine import COMPARED_BITS, Engine
from mdl.mpc.secret import Bits, Secret, joined_bits, stacked_bits

_NOT = -1
"""What turns over all digits of a word."""


async def conjunction(engine: Engine, bits: Bits) -> Bits:
    """Give the and of several words, which are along the first axis, in a tree."""
    while (count := bits.shape[0]) > 1:
        half = count // 2
        both = await engine.conjunction(bits[:half], bits[half : 2 * half])
        bits = joined_bits([both, bits[2 * half :]]) if count % 2 else both
    return bits[0]


async def magnitudes(engine: Engine, secret: Secret, step: int) -> Secret:
    """Tell which of the numbers 2^step, 2^(2 step)... up to 2^30 integers reach.

    Args:
        engine: the party's.
        secret: integers in [0, 2^31), of any shape.
        step: binary digits from one of the numbers to the next.

    Returns:
        1 where a number is reached, else 0, shape (numbers, ...).
    """
    word = await engine.bits(secret)
    # Every digit becomes the or of itself and of those above it.
    for distance in (1, 2, 4, 8, 16):
        word = await engine.conjunction(word ^ _NOT, word.shifted(-distance) ^ _NOT) ^ _NOT
    places = range(step, COMPARED_BITS - 1, step)
    return await engine.integers(stacked_bits([word.digit(place) for place in places]))


def lacking(reached: Secret, base: int) -> Secret:
    """Give base^(numbers - reached ones), which is 1 where all are, of `magnitudes`."""
    numbers = reached.shape[0]
    powers: list[int] = [base ** (numbers - count) for count in range(numbers + 1)]
    found = reached[0] * 0 + powers[0]
    for index in range(numbers):
        # Each number that is reached takes one factor away.
        found = found - reached[index] * (powers[index] - powers[index + 1])
    return found
