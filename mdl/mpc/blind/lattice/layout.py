"""Where entries of a batch lie in the coefficients of polynomials, so that products with weights are shifts.

A convolution of stride t is one of stride 1 on t² as many channels, its *phases*: phase (u, v) of a channel
has the pixels whose row and column in the padded image are u and v modulo t. A phase of an image is a grid of
cells, row after row; the same phase of all images, one image after the other, is a *block*; a polynomial has
as many blocks as fit. In it, what a window sees is a constant number of coefficients behind the window's
place: so a weight is an integer that a polynomial, multiplied by a power of x, is multiplied by, and no more.
A dense layer is the convolution of images of one pixel.

A reply has a polynomial for every `merged` outputs: if there are more than one, coefficients that are not in
a block are zeros, so that outputs shifted by `distance` do not meet.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.mpc.blind.plan import Affine, Convolution, Dense, Shape

UNSEEN: Final = -1
"""In place of an entry: what no window sees, and must not be sent."""
MOST_MERGED: Final = 1 << 10
"""Outputs in a polynomial of a reply: the noise of each is that of all."""

MOST_POLYNOMIALS: Final = 256
"""Of a batch, unless one example alone takes more: they are in memory together."""

ZERO: Final = -2
"""In place of an entry: zero."""


@dataclass(frozen=True)
class Layout:
    """The polynomials of up to `rows` examples.

    Attributes:
        window: as a convolution.
        image: channels, height and width of an example.
        rows: how many examples there are.
        degree: N.
        merged: outputs in a polynomial of the reply.
    """

    window: Convolution
    image: Shape
    rows: int
    degree: int
    merged: int

    @property
    def places(self) -> Shape:
        """Height and width of the output."""
        return self.window.output(self.image)[1:]

    @property
    def taps(self) -> int:
        """Cells, along a side, that a window sees of a phase."""
        return -(-self.window.size // self.window.stride)

    @property
    def phases(self) -> int:
        """Along a side. Those that no window sees are not counted."""
        return min(self.window.size, self.window.stride)

    @property
    def grid(self) -> Shape:
        """Cells of a phase, down and across."""
        down, across = self.places
        return down + self.taps - 1, across + self.taps - 1

    @property
    def block(self) -> int:
        """Coefficients of a block."""
        return self.rows * self.grid[0] * self.grid[1]

    @property
    def distance(self) -> int:
        """Coefficients from an output to the next one in the same polynomial."""
        return self.degree // self.merged

    @property
    def blocks(self) -> int:
        """In a polynomial."""
        return min(self.distance // self.block, self.window.channels * self.phases**2)

    @property
    def polynomials(self) -> int:
        """Of the batch."""
        return -(-self.window.channels * self.phases**2 // self.blocks)

    @property
    def replies(self) -> int:
        """Polynomials of the reply."""
        return -(-self.window.outputs // self.merged)

    @cached_property
    def terms(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each column of the weights: which polynomial it multiplies, and by how much that is shifted."""
        size, stride = self.window.size, self.window.stride
        channel, y, x = np.indices((self.window.channels, size, size)).reshape(3, -1)
        block = (channel * self.phases + y % stride) * self.phases + x % stride
        shift = block % self.blocks * self.block + y // stride * self.grid[1] + x // stride
        return block // self.blocks, shift

    @cached_property
    def outputs(self) -> NDArray[np.int64]:
        """At which coefficient the first output of a reply is: shape (rows, down, across)."""
        down, across = self.places
        row, i, j = np.indices((self.rows, down, across))
        found: NDArray[np.int64] = (row * self.grid[0] + i) * self.grid[1] + j
        return found

    @cached_property
    def entries(self) -> NDArray[np.int64]:
        """Which entry of the batch each coefficient is, or `UNSEEN`, or `ZERO`: shape (polynomials, N)."""
        seen = self._seen()
        down, across = self.grid
        found = np.full((self.polynomials, self.degree), ZERO)
        block, row, i, j = np.indices((self.window.channels * self.phases**2, self.rows, down, across))
        channel, phase = np.divmod(block, self.phases**2)
        height, width = self.image[1:]
        y = i * self.window.stride + phase // self.phases - self.window.padding
        x = j * self.window.stride + phase % self.phases - self.window.padding
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        entry = ((row * self.image[0] + channel) * height + y) * width + x
        at = block % self.blocks * self.block + (row * down + i) * across + j
        found[block // self.blocks, at] = np.where(inside, entry, ZERO)
        return np.where(seen, found, UNSEEN)

    def _seen(self) -> NDArray[np.bool_]:
        """Say which coefficients come into some output: shape (polynomials, N)."""
        seen = np.zeros((self.polynomials, self.degree), bool)
        places = self.outputs.reshape(-1)
        apart = range(1 - self.merged, self.merged)
        for polynomial, shift in set(zip(*(part.tolist() for part in self.terms), strict=True)):
            for outputs in apart:
                seen[polynomial, (places + shift + outputs * self.distance) % self.degree] = True
        return seen


def most_rows(affine: Affine, shape: Shape, degree: int) -> int:
    """Say how many examples are laid out together at most.

    Raises:
        ValueError: not even one.
    """
    one = Layout(*_window(affine, shape), rows=1, degree=degree, merged=1)
    if one.block > degree:
        raise ValueError(f"{affine} of examples of shape {shape} does not fit polynomials of degree {degree}")
    blocks = -(-one.window.channels * one.phases**2 // MOST_POLYNOMIALS)
    return max(1, degree // (one.block * blocks))


@lru_cache(maxsize=16)
def layout(affine: Affine, shape: Shape, rows: int, degree: int, costs: tuple[int, int]) -> Layout:
    """Lay out examples so that the fewest bytes are sent, about.

    Args:
        affine: the weights'.
        shape: of an example.
        rows: how many examples, at most `most_rows`.
        degree: N.
        costs: bytes of a zero that is sent, and of a coefficient of a reply.
    """
    window, image = _window(affine, shape)
    one = Layout(window, image, rows, degree, 1)
    most = min(window.outputs, degree // one.block, MOST_MERGED)
    fitting = (Layout(window, image, rows, degree, merged) for merged in range(1, most + 1))
    return min(fitting, key=lambda each: _bytes(each, *costs))


def _bytes(tried: Layout, zero: int, replied: int) -> int:
    between = 0 if tried.merged == 1 else tried.degree - tried.blocks * tried.block
    return tried.polynomials * between * zero + tried.replies * tried.degree * replied


def _window(affine: Affine, shape: Shape) -> tuple[Convolution, Shape]:
    match affine:
        case Dense():
            return Convolution(affine.inputs, affine.outputs, 1, 1, 0), (affine.inputs, 1, 1)
        case Convolution():
            return affine, shape
