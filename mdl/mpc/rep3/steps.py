"""What three parties do in their roles (`mdl.mpc.rep3.seats`): truncate, add in binary, select.

Every function here is one party's side, of a third of a vector. x stands for the secret, a for what `alone`
knows of it and b for what the pair knows, x = a + b.
"""

from typing import Final

import numpy as np

from mdl.mpc.rep3.seats import WHOLE, Into, Pair, Seat, total
from mdl.mpc.rounds import Words

XOR: Final = np.bitwise_xor

_HALF: Final = np.dtype(np.int32)
_QUARTER: Final = np.dtype(np.int16)


def known(seat: Seat, held: Pair) -> Words:
    """Give a or b, whichever this party knows."""
    match seat.role:
        case "alone":
            both: Words = held[0] + held[1]
            return both
        case "near":
            return held[1]
        case "far":
            return held[0]


async def truncated(
    seat: Seat,
    twice: Words,
    drop: int,
    *,
    additive: bool = False,
    carry: Pair | None = None,
    into: Into = None,
) -> Pair:
    """Divide x by 2^drop, |x| < 2^61; up or down at random, or to the nearest.

    What comes in is 2 x = a + b modulo 2^64, where a and b are both even or both odd. So with a' and b'
    their halves, a rounded up and b down, x = a' + b' modulo 2^63. A = a' + 2^61 - 1 and b', read as signed
    numbers, are shifted each. If A + b', which is in [0, 2^62), has wrapped, then both A and b' have their
    topmost bit set, or one of them; the shifts' sum is off by 2^(63 - drop) in the first case, and right,
    modulo 2^63 and a constant, in the others. So the product of the two bits corrects it, and it never
    fails. The carry from the bits that are dropped is not looked at: it is replaced by 1, so that the
    quotient is off by less than one, and right on average over b'.

    Where the carry is given, a' + 2^61 takes the place of A. What is shifted is A + 2^(drop - 1), not reduced
    modulo 2^63: the half that is to be added for the nearest quotient.

    Args:
        seat: the party's.
        twice: what it knows of 2 x, a or b; if `additive`, its own of three summands.
        drop: in [1, 32].
        additive: whether b is still the sum of what each of the pair has.
        carry: from the dropped bits of a' + 2^(drop - 1) and b', shared as an integer.
        into: where the quotient is to be written.

    Returns:
        The quotient, shared: two rounds.
    """
    word = _QUARTER if drop <= 16 else _HALF
    ring, doubled = seat.ring, seat.ring.doubled
    limit = ring.truncated_limit
    if seat.role == "alone":
        shifted = doubled.signed(twice + (2 * (limit - (carry is None)) + 1))
        topmost = (shifted < 0).astype(word)
        quotient = shifted >> drop + 1
        if carry is None:
            quotient += 1 - (limit >> drop)
        else:
            quotient += shifted >> drop & 1
            quotient -= limit >> drop
        (of_quotient, _), _ = await seat.told(quotient, topmost)
        corrections = await seat.crossed(topmost)
    else:
        (of_quotient, of_topmost), others = await seat.told(
            twice, np.empty(twice.shape, word), swap=twice if additive else None
        )
        both = doubled.signed(twice if others is None else twice + others)
        corrections = await seat.crossed(of_topmost[0] * (both < 0))
        quotient = both >> drop + 1
    weight = 1 << ring.word_bits - drop
    found = total(seat.pair(of_quotient, quotient), corrections, into, times=weight)
    return found if carry is None else total(found, carry, found)


async def generated(seat: Seat, word: Words) -> tuple[Pair, Pair]:
    """Begin an addition in binary.

    Args:
        seat: the party's.
        word: of a or b, whichever it knows, int32.

    Returns:
        g = a AND b and p = a XOR b, shared: two rounds.
    """
    (of_a,), _ = await seat.told(word, apart=XOR)
    return await seat.crossed(of_a[0] & word, apart=XOR), seat.pair(of_a, word)


async def selected(
    seat: Seat, x: Pair, bit: Pair, told: Pair | None, *, into: Into = None
) -> tuple[Pair, Pair]:
    """Give x where a bit is one, and zero elsewhere.

    With u the bit's part that `alone` knows, v the pair's: x (u XOR v) = a u + b v + v a (1 - 2u) + u b (1 -
    2v). `alone` shares a u and u; with these shares the pair can compute what remains.

    Args:
        seat: the party's.
        x: the secret.
        bit: uint8 words of one bit.
        told: the shares of u that an earlier selection by this bit gave.
        into: where the selection is to be written.

    Returns:
        The selection, and the shares of u: two rounds.
    """
    a_or_b, u_or_v = known(seat, x), _known_bit(seat, bit)
    own = a_or_b * u_or_v  # a u, or b v
    parts, _ = await seat.told(own, *([] if told else [u_or_v]))
    of_au, of_u = parts[0], told or parts[1]
    if seat.role == "alone":
        product = own
    else:
        of_a = x[0] if seat.role == "near" else x[1]
        product = of_a - (of_au[0] << 1)
        product *= u_or_v
        rest = a_or_b - (own << 1)
        rest *= of_u[0]
        product += rest
    return total(await seat.crossed(product), seat.pair(of_au, own), into), of_u


async def counted(seat: Seat, bit: Pair, told: Pair | None = None, *, into: Into = None) -> Pair:
    """Make an integer of a bit, u + v - 2 u v: two rounds; one, where shares of u are told already.

    The component that the pair hold together is v and an even number, and they know v. Whoever sends it on
    masks it, as whatever does so here.
    """
    part = _known_bit(seat, bit)
    of_u = told or (await seat.told(part))[0][0]
    return total(seat.pair(of_u, part), await seat.crossed(of_u[0] * part), into, times=-2)


def _known_bit(seat: Seat, bit: Pair) -> Words:
    """Give u or v, as an integer; above its one bit, components of a word may have others that cancel."""
    word = bit[0] ^ bit[1] if seat.role == "alone" else bit[seat.role == "near"]
    return (word & 1).astype(WHOLE)
