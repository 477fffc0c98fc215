"""Layers of all kinds, with shapes of what they take."""

import numpy as np
from hypothesis import strategies as st

from mdl.mpc.blind.plan import Affine, Convolution, Dense, Flatten, Shape, Step, steps

KINDS: list[tuple[Affine, Shape]] = [
    (Convolution(3, 4, 7, 4, 2), (3, 9, 13)),
    (Convolution(2, 3, 3, 1, 1), (2, 4, 5)),
    (Convolution(1, 2, 2, 3, 0), (1, 8, 7)),
    (Convolution(2, 3, 4, 2, 3), (2, 3, 3)),
    (Convolution(2, 1, 1, 2, 0), (2, 4, 4)),
    (Dense(7, 5), (7,)),
    (Dense(40, 1), (40,)),
]
"""Strides above and below the window's size, padding of nearly a window, pixels that no window sees."""


@st.composite
def affines(draw: st.DrawFn) -> tuple[Affine, Shape]:
    """Draw a layer, and the shape of an example."""
    if draw(st.booleans()):
        inputs = draw(st.integers(1, 40))
        return Dense(inputs, draw(st.integers(1, 9))), (inputs,)
    size, channels = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    padding = draw(st.integers(0, size - 1))
    least = max(1, size - 2 * padding)
    image = draw(st.integers(least, least + 4)), draw(st.integers(least, least + 4))
    stride, outputs = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    return Convolution(channels, outputs, size, stride, padding), (channels, *image)


def step(affine: Affine, shape: Shape) -> Step:
    """Make a network's first step."""
    outputs = int(np.prod(affine.output(shape)))
    rest = () if isinstance(affine, Dense) else (Flatten(), Dense(outputs, 1))
    return steps((affine, *rest), shape)[0]
