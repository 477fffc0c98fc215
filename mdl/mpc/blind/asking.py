"""One party asks another one's network: it learns the scores, and nothing else; the other one learns nothing.

The asker has images, the owner weights; between them they hold additive shares modulo 2^64 of every value in
the network. Before there are images, they come by shares of products of random masks with the weights
(`prepared`). Then (`answers`), for each product with weights, the asker sends its share less a mask; the
owner adds its own, and multiplies what is masked: with the shares of the mask's product that is a sharing of
the result [MLSZP20]. Each party divides its share. A quadratic activation opens its argument less a number
that nobody knows, of whose square there are shares [Beaver91]. Comparisons are left to an engine.

[MLSZP20] P. Mishra, R. Lehmkuhl, A. Srinivasan, W. Zheng, R. A. Popa, Delphi: a cryptographic inference
service for neural networks, USENIX Security 2020. [Beaver91] D. Beaver, Efficient multiparty protocols using
circuit randomization, CRYPTO 1991.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mdl.mpc.blind.arithmetic import FRACTION_BITS, WEIGHT_BITS, locally, quotient, weighted
from mdl.mpc.blind.plan import Activation, MaxPool, Quadratic, Relu, Step
from mdl.mpc.blind.sources import Product, Side, Source, Square
from mdl.mpc.dealer.holder import Holder
from mdl.mpc.engine import Engine
from mdl.mpc.layers import MaxPool as PoolLayer
from mdl.mpc.layers import Relu as ReluLayer
from mdl.mpc.layers import Window
from mdl.mpc.rounds import together


@dataclass(frozen=True)
class Weights:
    """What an owner multiplies with, int64.

    Attributes:
        weight: shape `step.affine.weight_shape`, of `WEIGHT_BITS` fraction bits.
        bias: shape (outputs,), of `WEIGHT_BITS` + `FRACTION_BITS`.
    """

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Prepared:
    """Correlated randomness of a step, as one party has it.

    Attributes:
        product: of the weights.
        squares: for each quadratic activation.
    """

    product: Product
    squares: Sequence[Square]


async def prepared(
    side: Side, source: Source, steps: Sequence[Step], rows: int, weights: Sequence[Weights] | None
) -> Sequence[Prepared]:
    """Come by what answering so many rows takes, for all steps in the same rounds.

    Args:
        side: the party's.
        source: of correlated randomness.
        steps: of the owner's network.
        rows: how many.
        weights: the owner's, for each step; None for others.
    """
    owned = [None] * len(steps) if weights is None else [each.weight for each in weights]
    shapes = [
        torch.Size([rows, *shape])
        for step in steps
        for activation, shape in zip(step.activations, step.activated, strict=True)
        if isinstance(activation, Quadratic)
    ]
    found = await together(
        *(source.product(side, step, rows, weight) for step, weight in zip(steps, owned, strict=True)),
        *(source.square(side, shape) for shape in shapes),
    )
    squares = iter(found[len(steps) :])
    return [
        Prepared(product, [next(squares) for each in step.activations if isinstance(each, Quadratic)])
        for step, product in zip(steps, found, strict=False)
    ]


async def answers(
    side: Side,
    source: Source,
    steps: Sequence[Step],
    material: Sequence[Prepared],
    values: Tensor,
    weights: Sequence[Weights] | None,
) -> Tensor:
    """Have the owner's network answer the asker's images.

    Args:
        side: the party's.
        source: as for `prepared`.
        steps: of the owner's network.
        material: what `prepared` gave, for as many rows; never used before.
        values: the images, shape (rows, ...), of `FRACTION_BITS`; zeros for all but the asker.
        weights: the owner's; None for others.

    Returns:
        This party's share of the scores, shape (rows, classes), of `FRACTION_BITS`.
    """
    share = values
    for number, (step, prepared) in enumerate(zip(steps, material, strict=True)):
        for stage in step.local:
            share = locally(stage, share, whole=side.asks)
        mask = prepared.product.mask
        masked = await side.handed(side.asker, share - mask if side.asks else None, mask.shape)
        product = prepared.product.share
        if side.owns:
            assert weights is not None
            bias = weights[number].bias
            product = product + weighted(step.affine, masked + share, weights[number].weight)
            product += bias.view(-1, *[1] * (len(step.product) - 1))
        share = quotient(product, WEIGHT_BITS, first=side.party == 0)
        squares = iter(prepared.squares)
        for activation in step.activations:
            if isinstance(activation, Quadratic):
                share = await _quadratic(side, activation, share, next(squares))
            else:
                share = await _compared(side, source, activation, share)
    return share


async def _quadratic(side: Side, activation: Quadratic, share: Tensor, square: Square) -> Tensor:
    """(x² + linear x) / 2^power, of which each party divides its share: one round."""
    found = await square.squared(side, share)
    found += share * (activation.linear << FRACTION_BITS)
    return quotient(found, FRACTION_BITS + activation.power, first=side.party == 0)


async def _compared(side: Side, source: Source, activation: Activation, share: Tensor) -> Tensor:
    """Let an engine compare: shares become its secrets, and its secrets shares."""
    engine = source.engine
    assert engine is not None, "a plan that compares is refused where nothing can"
    parts = [engine.share(party, share if side.party == party else None, share.shape) for party in (0, 1)]
    one, two = await together(*parts)
    layer = ReluLayer() if isinstance(activation, Relu) else _pooling(activation)
    return _additive(engine, (await layer.forward(engine, one + two, training=False)).parts)


def _pooling(activation: Activation) -> PoolLayer:
    assert isinstance(activation, MaxPool)
    return PoolLayer(Window(activation.size, activation.stride))


def _additive(engine: Engine, parts: Sequence[Tensor]) -> Tensor:
    """Give a holder's additive share: it knows what is masked, and its share of the mask."""
    if not isinstance(engine, Holder):
        return torch.zeros_like(parts[0])
    masked, mask = parts
    return masked + mask if engine.party == 0 else mask
