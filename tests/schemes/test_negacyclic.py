"""The twist against products by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.schemes.negacyclic import twist

entries = st.lists(st.integers(-9, 9), min_size=8, max_size=8)


@given(a=entries, b=entries)
def test_twisted_transforms_multiply_modulo_x_to_the_n_plus_one(a: list[int], b: list[int]) -> None:
    expected = [0] * 8
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            expected[(i + j) % 8] += x * y if i + j < 8 else -x * y
    product = np.fft.ifft(np.fft.fft(twist(8) * a) * np.fft.fft(twist(8) * b)) * twist(8).conj()
    assert np.rint(product.real).astype(int).tolist() == expected


@pytest.mark.parametrize("degree", [0, 1, 3, 12])
def test_other_degrees_are_a_bug(degree: int) -> None:
    with pytest.raises(AssertionError):
        twist(degree)


def test_nobody_changes_it() -> None:
    with pytest.raises(ValueError, match="read-only"):
        twist(4)[0] = 0
