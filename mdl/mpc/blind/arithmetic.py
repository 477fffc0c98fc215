"""What each party does by itself: linear maps of integers modulo 2^64, and quotients of additive shares."""

from typing import Final

import torch
from torch import Tensor

from mdl.mpc.blind.plan import Affine, Centre, Convolution, Dense, Flatten, Local, Sums
from mdl.mpc.kernels import matmul
from mdl.mpc.layers.window import Window

FRACTION_BITS: Final = 12
"""Of images and of what activations give."""

WEIGHT_BITS: Final = 14
"""Fraction bits of weights."""

_AT_ONCE: Final = 256
"""Examples whose windows are laid out at once."""


def locally(stage: Local, values: Tensor, *, whole: bool) -> Tensor:
    """Apply what needs nobody else to a batch.

    Args:
        stage: what is done.
        values: or a share of them, first axis n.
        whole: whether constants are added to it: to the values, and to one of their shares.
    """
    match stage:
        case Centre():
            return values - whole * stage.middle << stage.power
        case Flatten():
            return values.reshape(len(values), -1)
        case Sums():
            windows = values.unfold(2, stage.size, stage.stride).unfold(3, stage.size, stage.stride)
            return windows.sum((4, 5))


def weighted(affine: Affine, values: Tensor, weight: Tensor) -> Tensor:
    """Multiply a batch by weights; linear in both.

    Args:
        affine: what they are.
        values: shape (n, ...).
        weight: shape `affine.weight_shape`.

    Returns:
        Shape (n, ...).
    """
    match affine:
        case Dense():
            return matmul(values, weight.t().contiguous())
        case Convolution():
            parts = [_convolved(affine, part, weight) for part in torch.split(values, _AT_ONCE)]
            return torch.cat(parts)


def _convolved(affine: Convolution, images: Tensor, weight: Tensor) -> Tensor:
    window = Window(affine.size, affine.stride, affine.padding)
    rows = matmul(weight, window.columns(images))
    down, across = (window.places(side) for side in images.shape[2:])
    return rows.view(affine.outputs, len(images), down, across).transpose(0, 1).contiguous()


def quotient(share: Tensor, drop: int, *, first: bool) -> Tensor:
    """Divide by 2^drop, each party its own share: off by less than 1 + 2^-drop.

    It fails, by 2^(64 - drop), with probability |x| 2^-63 if shares are uniform. [MZ17] P. Mohassel, Y.
    Zhang, SecureML, IEEE S&P 2017, theorem 1.

    Args:
        share: this party's.
        drop: in [1, 63].
        first: whether it is the first party; the second one rounds its share's negative.
    """
    return share >> drop if first else -(-share >> drop)
