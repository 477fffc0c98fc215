"""Products of hidden masks and integers in the clear, shared: what asker and owner do, each by itself.

The asker has a key, of which the owner has the public half (`keys`): ternary s; b = e - a s. The ring is
Z_q[x]/(x^N + 1), q = 2^136; plaintexts are modulo 2^64, Δ = 2^72.

1. For each polynomial, a is drawn from a stream that both know. The asker computes e - a s = v + Δ w, v below
   Δ, and sends v. As a ciphertext (v, a) is one of r = -w, a mask that nobody has chosen: for a chosen one v
   would be the same, and the other half, r + w, uniform whatever v is. Where the plaintext has to be zero,
   all of e - a s is sent. Of coefficients that come into no output nothing is.
2. The owner adds up ciphertexts, shifted, times weights: c_0 + c_1 s = Δ m + noise. It adds (b u, a u + e),
   which hides c_1, and with it the weights. c_0 it keeps: its share of m is floor(c_0 / Δ). It sends c_1,
   rounded to its 80 highest bits, and for each output the bit h = floor(2 c_0 / Δ) mod 2.
3. The asker's share of m is c_1 s / Δ + (2 h + 1) / 4, rounded.

Why the shares add up to m, always. c_0 / Δ is floor(c_0 / Δ) + (2 h + 1) / 4 within 1/4. To that come the
noise and the error of rounding c_1. Weights of an output add up to at most `ROW_LIMIT` = 2^26 in absolute
value, errors are within 32, and the noise is that of all outputs in the polynomial, at most 2^10: it is at
most 2^41 + 2 * 32 N < 2^42, that is 2^-30 Δ. Rounding c_1 errs by 2^55 a coefficient, times s by 2^55 N <=
2^68, that is Δ / 16. Together that is below 1/2.

What the owner learns. Nothing: what it sees are values of e - a s for public a, which Ring-LWE makes uniform;
then r is uniform, too, whatever v is. N = 8192 and ternary secrets: the standard allows q up to 2^218 at 128
bits of security [HES18]. Errors have the variance 16 (σ = 4; the standard's is 3.2).

What the asker learns. c_1 is uniform but for Ring-LWE with the owner's u. Given it, h depends on c_0 = Δ m +
noise - c_1 s alone, modulo Δ: without the noise it would say nothing that the asker cannot compute. The noise
is the sum x of the asker's errors times weights, with which u and e have nothing to do, and what the hiding
adds, at most 2^20. So it changes h only where that coefficient of c_1 s, uniform modulo Δ, is within an
interval of |x| + 2^20 around a multiple of Δ / 2: with probability 2 (E|x| + 2^20) / Δ at most. E|x| is at
most 4 times the 2-norm of the weights of all outputs in the polynomial; that is below 2^23.5 for those of
one, within 2^21 and `ROW_LIMIT`. So the view's statistical distance from one made without the weights is
below 2^-45 for each output that is alone in a polynomial, and, as there are at most 2^10 in one, below 2^-40
for each. (No noise is added to drown that of the ciphertexts: the bits that would tell of it are not sent.)

The owner's share is the difference of m and the asker's, which c_1 makes uniform.

[HES18] The homomorphic-encryption standard of 2018, table 1.
"""

from collections.abc import Iterator
from functools import reduce
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mdl.errors import OutOfRange
from mdl.mpc.blind.lattice.coefficients import (
    COMBINED_LIMIT,
    FRACTION_BYTES,
    LIMB_BITS,
    WHOLE_BYTES,
    Coefficients,
)
from mdl.mpc.blind.lattice.keys import PublicKey, SecretKey
from mdl.mpc.blind.lattice.layout import ZERO, Layout
from mdl.mpc.blind.lattice.sizes import Sizes
from mdl.mpc.kernels import matmul
from mdl.system import Randomness

ROW_LIMIT: Final = COMBINED_LIMIT
"""The weights of an output add up to at most this in absolute value: 2^26."""

WEIGHT_LIMIT: Final = 1 << 21
"""A weight is at most this in absolute value."""

REPLY_BYTES: Final = 10
"""Of a coefficient of c_1."""

COSTS: Final = (WHOLE_BYTES, REPLY_BYTES)
"""Bytes of a zero that is sent, and of a coefficient of a reply: see `layout`."""

_DROPPED_BITS: Final = 2 * LIMB_BITS - 16
"""Of c_1, the lowest."""

_AT_ONCE: Final = 128
"""Shifted polynomials that are laid out at once."""


def sizes(layout: Layout) -> Sizes:
    """Say what is sent."""
    entries = layout.entries
    zeros = int((entries == ZERO).sum())
    masks = int((entries >= 0).sum())
    hints = -(-layout.outputs.size * layout.window.outputs // 8)
    return Sizes(
        masks * FRACTION_BYTES + zeros * WHOLE_BYTES, layout.replies * layout.degree * REPLY_BYTES + hints
    )


def check(weight: Tensor) -> None:
    """Make sure that products with weights can be hidden, shape (outputs, columns).

    Raises:
        OutOfRange: they are too large.
    """
    if bool((weight.abs() > WEIGHT_LIMIT).any()) or int(weight.abs().sum(1).max()) > ROW_LIMIT:
        raise OutOfRange(
            f"a weight exceeds {WEIGHT_LIMIT} in absolute value, or those of an output add up to more than "
            f"{ROW_LIMIT}"
        )


def hidden(layout: Layout, key: SecretKey, public: Coefficients, masks: Tensor, *, rng: Randomness) -> Tensor:
    """Draw masks, and hide them: step 1.

    Args:
        layout: of the examples.
        key: the asker's.
        public: a, shape (polynomials, N).
        masks: flat, one for each entry of the examples: those that windows see are written.
        rng: for errors.

    Returns:
        What is sent: uint8.
    """
    zeros = key.hidden_zeros(public, rng=rng)
    entries = torch.from_numpy(layout.entries)
    masked, plain = zeros[entries >= 0], zeros[entries == ZERO]
    masks[entries[entries >= 0]] = -masked.high
    return torch.cat([masked.fractions().reshape(-1), plain.whole().reshape(-1)])


def ciphertexts(layout: Layout, public: Coefficients, sent: Tensor) -> Coefficients:
    """Read what `hidden` gave: c_0 and c_1, shape (2, polynomials, N); what is unseen of c_0 is zero."""
    entries = torch.from_numpy(layout.entries)
    masked, plain = entries >= 0, entries == ZERO
    split = int(masked.sum()) * FRACTION_BYTES
    fractions = Coefficients.of_fractions(sent[:split].view(-1, FRACTION_BYTES))
    whole = Coefficients.of_whole(sent[split:].view(-1, WHOLE_BYTES))
    first = [torch.zeros(entries.shape, dtype=torch.int64) for _ in range(3)]
    for limb, one, other in zip(first, fractions.limbs, whole.limbs, strict=True):
        limb[masked] = one
        limb[plain] = other
    return Coefficients(*(torch.stack(pair) for pair in zip(first, public.limbs, strict=True)))


def combined(layout: Layout, pair: Coefficients, weight: Tensor) -> Coefficients:
    """Add up shifted ciphertexts times weights.

    Args:
        layout: of the examples.
        pair: as from `ciphertexts`.
        weight: shape (outputs, columns), within what `check` allows.

    Returns:
        Shape (2, replies, N).
    """
    padded = torch.zeros(layout.replies * layout.merged, weight.shape[1], dtype=torch.int64)
    padded[: len(weight)] = weight
    # Limbs are carried between outputs, as `ROW_LIMIT` is each output's.
    parts = (_of_output(layout, pair, padded, number) for number in range(layout.merged))
    found = reduce(Coefficients.__add__, parts)
    return found.map(lambda limb: limb.view(layout.replies, 2, layout.degree).transpose(0, 1))


def _of_output(layout: Layout, pair: Coefficients, weight: Tensor, number: int) -> Coefficients:
    """Add up, for one of each reply's outputs: shape (replies, 2 N)."""
    limbs = [torch.zeros(layout.replies, 2 * layout.degree, dtype=torch.int64) for _ in range(3)]
    for place, limb in enumerate(pair.limbs):
        for columns, shifted in _shifted(layout, limb, number * layout.distance):
            limbs[place] += matmul(weight[number :: layout.merged, columns].contiguous(), shifted)
    return Coefficients.carried(*limbs)


def replied(layout: Layout, pair: Coefficients, key: PublicKey, *, rng: Randomness) -> tuple[Tensor, Tensor]:
    """Hide what was `combined`: step 2.

    Returns:
        What is sent, uint8; and the owner's share, shape (rows, outputs, down, across).
    """
    zeros = key.hidden_zeros(layout.replies, rng=rng)
    first, second = pair[0] + zeros[0], pair[1] + zeros[1]
    needed = first.map(lambda limb: _outputs(layout, limb))
    hints = np.packbits((needed.middle >> LIMB_BITS - 1).to(torch.uint8).numpy())
    half = torch.tensor(1 << _DROPPED_BITS - LIMB_BITS - 1)
    rounded = Coefficients.carried(second.low, second.middle + half, second.high)
    top = (rounded.middle >> _DROPPED_BITS - LIMB_BITS).to(torch.int32)
    data = torch.cat(
        [
            rounded.high.reshape(-1).view(torch.uint8),
            (top & 255).to(torch.uint8).reshape(-1),
            (top >> 8).to(torch.uint8).reshape(-1),
            torch.from_numpy(hints),
        ]
    )
    return data, needed.high


def shared(layout: Layout, key: SecretKey, reply: Tensor) -> Tensor:
    """Give the asker's share: step 3. Shape (rows, outputs, down, across)."""
    shape = (layout.replies, layout.degree)
    count = layout.replies * layout.degree
    high = reply[: 8 * count].clone().view(torch.int64).view(shape)
    lower, upper = (
        part.to(torch.int64).view(shape) for part in torch.split(reply[8 * count : 10 * count], count)
    )
    middle = (lower | upper << 8) << _DROPPED_BITS - LIMB_BITS
    found = key.times(Coefficients(torch.zeros_like(high), middle, high))
    needed = found.map(lambda limb: _outputs(layout, limb))
    hints = np.unpackbits(reply[10 * count :].numpy(), count=needed.high.numel())
    quarters = 2 * torch.from_numpy(hints).to(torch.int64).view(needed.shape) + 1
    half = 2
    middle = needed.middle + ((quarters + half) << LIMB_BITS - 2)
    return Coefficients.carried(needed.low, middle, needed.high).high


def _shifted(layout: Layout, limb: Tensor, ahead: int) -> Iterator[tuple[slice, Tensor]]:
    """Lay out, for columns of the weights, both halves of ciphertexts one behind the other, shifted."""
    polynomials, shifts = (part.tolist() for part in layout.terms)
    for first in range(0, len(shifts), _AT_ONCE):
        columns = slice(first, min(first + _AT_ONCE, len(shifts)))
        terms = zip(polynomials[columns], shifts[columns], strict=True)
        rows = [_turned(limb[:, polynomial], ahead - shift).reshape(-1) for polynomial, shift in terms]
        yield columns, torch.stack(rows)


def _turned(polynomials: Tensor, power: int) -> Tensor:
    """Multiply by a power of x, of either sign: x^N = -1."""
    kept, wrapped = polynomials[..., -power:], polynomials[..., :-power]
    if power > 0:
        return torch.cat([-kept, wrapped], -1)
    return torch.cat([kept, -wrapped], -1) if power else polynomials


def _outputs(layout: Layout, replies: Tensor) -> Tensor:
    """Pick outputs from polynomials: shape (rows, outputs, down, across)."""
    apart = torch.arange(layout.merged) * layout.distance
    places = torch.from_numpy(layout.outputs)[None] + apart.view(-1, 1, 1, 1)
    found = replies[:, places.reshape(-1)].view(-1, *layout.outputs.shape)
    return found[: layout.window.outputs].transpose(0, 1).contiguous()
