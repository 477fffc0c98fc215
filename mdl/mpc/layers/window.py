"""Squares that slide over images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """How a square slides over images.

    Attributes:
        size: of its sides.
        stride: by how much it moves.
        padding: zeros around the image.
    """

    size: int
    stride: int = 1
    padding: int = 0

    def places(self, side: int) -> int:
        """Give at how many places it fits along a side."""
        return (side + 2 * self.padding - self.size) // self.stride + 1

    def padded(self, images: Tensor) -> Tensor:
        """Put zeros around images, shape (n, channels, height, width)."""
        return torch.nn.functional.pad(images, (self.padding,) * 4) if self.padding else images

    def columns(self, images: Tensor) -> Tensor:
        """Lay out what the window sees at each place in a column, shape (channels size^2, n places).

        Rows are shifted images: both ways of copying take long runs at once, which is where the time goes.
        """
        windows = self.padded(images).unfold(2, self.size, self.stride).unfold(3, self.size, self.stride)
        n, channels, down, across = windows.shape[:4]
        return windows.permute(1, 4, 5, 0, 2, 3).reshape(channels * self.size**2, n * down * across)

    def images(self, columns: Tensor, shape: torch.Size) -> Tensor:
        """Add up what was laid out at its place in images of a shape: what is adjoint to `columns`."""
        n, channels, height, width = shape
        down, across = self.places(height), self.places(width)
        seen = columns.reshape(channels, self.size**2, n, down, across)
        turned = torch.Size([channels, n, height, width])
        return self.gathered(list(seen.unbind(1)), turned).transpose(0, 1)

    def seen(self, images: Tensor) -> list[Tensor]:
        """Give, for each place in the window, what it sees there: shapes (n, channels, down, across)."""
        padded = self.padded(images)
        down, across = self.places(images.shape[2]), self.places(images.shape[3])
        return [
            padded[
                :,
                :,
                i : i + self.stride * (down - 1) + 1 : self.stride,
                j : j + self.stride * (across - 1) + 1 : self.stride,
            ]
            for i in range(self.size)
            for j in range(self.size)
        ]

    def gathered(self, seen: Sequence[Tensor], shape: torch.Size) -> Tensor:
        """Add up in images of a shape: what is adjoint to `seen`."""
        n, channels, height, width = shape
        around = 2 * self.padding
        padded = torch.zeros(n, channels, height + around, width + around, dtype=seen[0].dtype)
        for place, part in zip(Window(self.size, self.stride).seen(padded), seen, strict=True):
            place += part
        inside = slice(self.padding, self.padding + height), slice(self.padding, self.padding + width)
        return padded[:, :, inside[0], inside[1]]
