"""What the two sides of four parties do with numbers that each knows (`mdl.mpc.rep4.joint`).

Every function here is one party's side. x stands for the secret, a for what parties 0 and 1 know of it and b
for what 2 and 3 know, x = a + b; of bits, u and v, x = u XOR v.
"""

import torch
from torch import Tensor

from mdl.mpc.engine import WORD_BITS, Bilinear
from mdl.mpc.rep4.joint import SUM, XOR, Group, Joint, Parts
from mdl.mpc.rounds import together


def known(held: Parts, group: Group = SUM) -> Tensor:
    """Give a or b, whichever this party's side knows."""
    return group.plus(held[0], held[1])


def added(one: Parts, two: Parts, group: Group = SUM) -> Parts:
    """Add secrets."""
    return group.plus(one[0], two[0]), group.plus(one[1], two[1]), group.plus(one[2], two[2])


async def crossed(joint: Joint, bilinear: Bilinear, one: Parts, two: Parts, group: Group = SUM) -> Parts:
    """Share a b' + b a', of secrets a + b and a' + b': one round."""
    # With the first party across, it is the second one's component that both hold.
    first, second = (
        group.plus(bilinear(one[common], two[2]), bilinear(one[2], two[common])) for common in (1, 0)
    )
    return await joint.mixed(first, second, group)


async def multiplied(joint: Joint, bilinear: Bilinear, one: Parts, two: Parts, group: Group = SUM) -> Parts:
    """Multiply; a a' and b b' the sides know: one round."""
    own = bilinear(known(one, group), known(two, group))
    (of_own,), of_mixed = await together(
        joint.told(own, group=group), crossed(joint, bilinear, one, two, group)
    )
    return added(of_own, of_mixed, group)


async def truncated(joint: Joint, part: Tensor, drop: int, *, carried: bool = False) -> Parts:
    """Divide x by 2^drop, |x| < 2^62; up or down at random.

    A = a + 2^62 - 1 and b, read as signed numbers, are shifted each. If A + b, which is in [0, 2^63), has
    wrapped, then both A and b have their topmost bit set, or one of them; the shifts' sum is off by 2^(64 -
    drop) in the first case, and right, modulo 2^64 and a constant, in the others. So the product of the two
    bits corrects it, and it never fails. The carry from the bits that are dropped is not looked at: it is
    replaced by 1, so that the quotient is off by less than one, and right on average over b.

    Args:
        joint: the party's.
        part: a or b, whichever this party's side knows.
        drop: in [1, 32].
        carried: whether the carry from the dropped bits of a + 2^(drop - 1) and b will be added, so that the
            quotient is the nearest. Then a + 2^62 takes the place of A; what is shifted is A + 2^(drop - 1),
            not reduced modulo 2^64.

    Returns:
        The quotient, shared: two rounds.
    """
    word = torch.int16 if drop <= 16 else torch.int32
    ring, limit = joint.ring, joint.ring.truncated_limit
    if joint.side == 1:
        part = ring.signed(part)
        quotient = part >> drop
    elif carried:
        part = ring.signed(part + limit)
        quotient = (part >> drop) + (part >> drop - 1 & 1) - (limit >> drop)
    else:
        part = ring.signed(part + (limit - 1))
        quotient = (part >> drop) + (1 - (limit >> drop))
    topmost = -(part >> WORD_BITS - 1)
    (of_quotient,), (of_topmost,) = await together(joint.told(quotient), joint.told(topmost.to(word)))
    wrapped = await joint.mixed(of_topmost[1] * of_topmost[2], of_topmost[0] * of_topmost[2])
    first, second, third = (each.to(torch.int64) << ring.word_bits - drop for each in wrapped)
    return added(of_quotient, (first, second, third))


async def generated(joint: Joint, word: Tensor) -> tuple[Parts, Parts]:
    """Begin the addition of a and b in binary.

    Args:
        joint: the party's.
        word: of a or b, whichever its side knows, int32.

    Returns:
        g = a AND b and p = a XOR b, shared: two rounds.
    """
    (p,) = await joint.told(word, group=XOR)
    return await joint.mixed(p[1] & p[2], p[0] & p[2], XOR), p


async def selected(joint: Joint, x: Parts, bit: Parts, told: Parts | None) -> tuple[Parts, Parts]:
    """Give x where a bit is one, and zero elsewhere.

    With p = a (1 - 2u) and q = b (1 - 2v), it is a u + b v + u q + v p. The sides share a u and b v, of
    which p and q are made, and u and v; then u q and v p are mixtures.

    Args:
        joint: the party's.
        x: the secret.
        bit: uint8 words of one bit.
        told: u + v, as an earlier selection by this bit has shared it.

    Returns:
        The selection, and u + v, shared: two rounds.
    """
    own = _known_bit(bit)
    kept, *new = await joint.told(known(x) * own, *([] if told else [own]))
    bits = told or new[0]
    signed = x[0] - 2 * kept[0], x[1] - 2 * kept[1], x[2] - 2 * kept[2]
    return added(kept, await crossed(joint, torch.mul, bits, signed)), bits


async def counted(joint: Joint, bit: Parts) -> Parts:
    """Make an integer of a bit, u + v - 2 u v: two rounds."""
    (bits,) = await joint.told(_known_bit(bit))
    return added(bits, await joint.mixed(-2 * bits[1] * bits[2], -2 * bits[0] * bits[2]))


def _known_bit(bit: Parts) -> Tensor:
    """Give u or v, as an integer; above its one bit, components of a word may have others that cancel."""
    return (known(bit, XOR) & 1).to(torch.int64)
