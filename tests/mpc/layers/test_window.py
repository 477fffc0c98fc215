"""Where windows see what, and back."""

import pytest
import torch

from mdl.mpc.layers import Window


@pytest.mark.parametrize("window", [Window(3), Window(2, 2), Window(3, 2, 1), Window(5, 2, 2)])
def test_laying_out_and_adding_up_are_adjoint(window: Window) -> None:
    images = torch.randint(-100, 100, (2, 3, 9, 11))
    columns = window.columns(images)
    other = torch.randint(-100, 100, columns.shape)
    assert int((columns * other).sum()) == int((images * window.images(other, images.shape)).sum())
