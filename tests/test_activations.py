import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mdl.activations import Centred, Quadratic, Square


@given(
    values=st.lists(st.integers(-(2**9), 2**9), min_size=1),
    power=st.integers(0, 8),
    linear=st.integers(-(2**9), 2**9),
)
def test_it_is_exact_where_numbers_are_short(values: list[int], power: int, linear: int) -> None:
    found = Quadratic(power, linear)(torch.tensor(values, dtype=torch.float32))
    assert found.tolist() == [(value * value + linear * value) / 2**power for value in values]


def test_by_default_it_is_an_eighth_of_the_square_and_a_half() -> None:
    assert Quadratic()(torch.tensor([-4.0, -2.0, 0.0, 1.0, 4.0])).tolist() == [0.0, -0.5, 0.0, 0.625, 4.0]


def test_the_square_is_its_special_case() -> None:
    values = torch.linspace(-3, 3, 50)
    assert torch.equal(Square()(values), values * values)
    assert isinstance(Square(), Quadratic)


def test_gradients_are_those_of_the_parabola() -> None:
    values = torch.linspace(-3, 3, 50, requires_grad=True)
    Quadratic(2, 3)(values).sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, (2 * values.detach() + 3) / 4)


def test_a_printed_network_says_which_parabola() -> None:
    assert [repr(layer) for layer in (Quadratic(), Square())] == ["Quadratic(power=3, linear=4)", "Square()"]


def test_a_negative_power_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0, not -1"):
        Quadratic(power=-1)


def test_images_are_centred_around_zero() -> None:
    assert Centred()(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-2.0, 0.0, 2.0]
    assert repr(Centred(0.25, 1)) == "Centred(middle=0.25, power=1)"


@pytest.mark.parametrize(("middle", "power"), [(0.1, 2), (0.5, -1)])
def test_what_a_fixed_point_number_cannot_be_is_refused(middle: float, power: int) -> None:
    with pytest.raises(ValueError, match="middle should be"):
        Centred(middle, power)
