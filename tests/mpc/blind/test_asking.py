"""Blind predictions are those of the network in the clear; nobody learns anything else."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor, nn

from mdl.activations import Quadratic, Square
from mdl.mpc.blind.arithmetic import locally, quotient, weighted
from mdl.mpc.blind.dealt import Dealing, Dealt
from mdl.mpc.blind.plan import Convolution, Dense, Flatten, steps
from mdl.mpc.blind.plan import Quadratic as QuadraticStage
from mdl.mpc.blind.translation import encoded, plan_of, weights_of
from mdl.mpc.rounds import Traffic
from tests.mpc.blind.pairs import DEALER, SHAPE, UNIT, Asking, answered, between, images, small, sources
from tests.mpc.dealt import Tape


def clear(network: nn.Sequential, pixels: Tensor) -> Tensor:
    """Compute in the same integers, each quotient rounded down."""
    values = encoded(pixels)
    of_step = iter(weights_of(network))
    for step in steps(plan_of(network), tuple(pixels.shape[1:])):
        for stage in step.local:
            values = locally(stage, values, whole=True)
        found = next(of_step)
        values = weighted(step.affine, values, found.weight)
        values = values + found.bias.view(-1, *[1] * (values.dim() - 2))
        values = values >> 14
        for activation in step.activations:
            assert isinstance(activation, QuadraticStage)
            values = values * values + values * (activation.linear << 12) >> 12 + activation.power
    return values


def gain(network: nn.Sequential) -> float:
    """How much a unit at the input of any layer can become at the end: the largest sums of weights."""
    total = 1.0
    for layer in network:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            total *= max(1.0, float(layer.weight.detach().abs().flatten(1).sum(1).max()))
    return total


@pytest.mark.parametrize("act", [Quadratic, Square])
def test_scores_are_those_of_the_network_in_the_clear(act: type[nn.Module]) -> None:
    torch.manual_seed(1)
    network, pixels = small(act), images(50)
    found, _ = answered({0: Asking(pixels, network)}, sources())
    bound = (5 + 1) * UNIT * gain(network)
    assert float((found[0] - clear(network, pixels) * UNIT).abs().max()) <= bound
    assert float((found[0] - network(pixels).detach()).abs().max()) <= bound


@pytest.mark.parametrize("pool", [nn.AvgPool2d(2), nn.MaxPool2d(2)])
def test_networks_that_compare_are_asked_too(pool: nn.Module) -> None:
    torch.manual_seed(2)
    network = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.ReLU(), pool, nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4)
    )
    pixels = images(40)
    found, _ = answered({1: Asking(pixels, network)}, sources())
    assert float((found[1] - network(pixels).detach()).abs().max()) < 0.01


def test_the_best_class_is_the_same_for_a_thousand_images() -> None:
    torch.manual_seed(3)
    network, pixels = small(), images(1000)
    found, _ = answered({0: Asking(pixels, network)}, sources())
    assert float((found[0].argmax(1) == network(pixels).argmax(1)).float().mean()) >= 0.995


def test_both_ask_in_the_same_rounds_networks_that_differ() -> None:
    torch.manual_seed(4)
    one, other = small(), nn.Sequential(nn.Flatten(), nn.Linear(72, 6), Square(), nn.Linear(6, 5))
    pixels = images(9), images(4)
    found, traffic = answered({0: Asking(pixels[0], one), 1: Asking(pixels[1], other)}, sources())
    assert float((found[0] - one(pixels[0]).detach()).abs().max()) < 0.01
    assert float((found[1] - other(pixels[1]).detach()).abs().max()) < 0.01
    alone, several = answered({0: Asking(pixels[0], one)}, sources())
    assert float((alone[0] - found[0]).abs().max()) < 0.01
    assert traffic.rounds == several.rounds


def test_what_is_sent_is_what_the_formula_says() -> None:
    rows, network = 7, small()
    _, traffic = answered({0: Asking(images(rows), network)}, sources())
    masked, squares, weights = 72 + 3 * 9 + 4, 3 * 9 + 4 * 4, 2 * 3 * 16 + 3 * 4 * 4 + 4 * 5
    products = 3 * 9 + 4 * 4 + 5
    assert between(traffic) == 8 * (weights + rows * (masked + 2 * squares)) + 4 * rows * 5
    assert traffic.sent_bytes[DEALER] == 8 * rows * (products + squares)
    assert not any(receiver == DEALER for _, _, receiver, _ in traffic.messages)
    # Randomness in one round, three masked inputs, two squares, the answers.
    assert traffic.rounds == 1 + 3 + 2 + 1


def test_rounds_and_sizes_do_not_depend_on_images_or_weights() -> None:
    def schedule(seed: int) -> list[Any]:
        torch.manual_seed(seed)
        _, traffic = answered({0: Asking(images(3), small())}, sources())
        return [(*of, tensor.shape, tensor.dtype) for *of, tensor in traffic.messages]

    assert schedule(5) == schedule(6)


# ------------------------------------------------------------------------------------------ what is seen


def received(traffic: Traffic, party: int) -> NDArray[np.uint8]:
    """Give all bytes that a party has received, but for the answers at the end."""
    last = max(number for number, *_ in traffic.messages)
    words = [
        tensor.contiguous().numpy().tobytes()
        for number, _, receiver, tensor in traffic.messages
        if receiver == party and number < last
    ]
    return np.frombuffer(b"".join(words), np.uint8)


def chance(words: NDArray[np.uint8]) -> float:
    """How likely bytes are as uneven as these, if they are uniform."""
    return float(stats.chisquare(np.bincount(words, minlength=256)).pvalue)


@pytest.mark.parametrize("party", [0, 1])
@pytest.mark.parametrize("bright", [False, True])
def test_both_see_uniform_bytes_whatever_the_images_are(party: int, bright: bool) -> None:
    torch.manual_seed(7)
    pixels = torch.full((200, *SHAPE), float(bright))
    _, traffic = answered({0: Asking(pixels, small())}, sources())
    assert chance(received(traffic, party)) > 1e-6


def test_weights_do_not_occur_in_what_the_asker_receives() -> None:
    torch.manual_seed(8)
    network = small()
    _, traffic = answered({0: Asking(images(5), network)}, sources())
    seen = received(traffic, 0).tobytes()
    for each in weights_of(network):
        for word in each.weight.flatten():
            assert int(word).to_bytes(8, "little", signed=True) not in seen


def test_networks_that_give_the_same_scores_look_the_same_to_the_asker() -> None:
    """All that it receives, the answers too, is as likely whatever the weights are."""
    torch.manual_seed(9)
    pixels = torch.rand(400, 3)
    found = []
    for scale in (0.0, 3.0):
        network = nn.Sequential(nn.Linear(3, 4), Square(), nn.Linear(4, 2))
        for parameter in network[0].parameters():
            parameter.data *= scale
        network[2].load_state_dict({"weight": torch.zeros(2, 4), "bias": torch.full((2,), 0.5)})
        told, traffic = answered({0: Asking(pixels, network)}, sources())
        assert torch.equal(told[0], torch.full((400, 2), 0.5))
        words = [tensor.numpy().tobytes() for *_, receiver, tensor in traffic.messages if receiver == 0]
        found.append(np.frombuffer(b"".join(words), np.uint8))
    assert all(chance(each) > 1e-6 for each in found)
    assert stats.ks_2samp(*found).pvalue > 1e-6


def test_a_mask_that_is_used_again_would_be_noticed() -> None:
    """The same tests fail where the owner's masks repeat: they see what they are there for."""
    torch.manual_seed(10)
    made = sources()
    dealt = made[1]
    assert isinstance(dealt, Dealt)
    dealt._stream = Tape(5)  # type: ignore[assignment]
    dealing = made[DEALER]
    assert isinstance(dealing, Dealing)
    dealing._streams[1] = Tape(5)  # type: ignore[assignment]
    _, traffic = answered({0: Asking(images(200), small())}, made)
    assert chance(received(traffic, 0)) < 1e-12


# ------------------------------------------------------------------------------------------ arithmetic


@given(
    values=st.lists(st.integers(-(2**26), 2**26), min_size=1, max_size=20),
    drop=st.integers(1, 20),
    seed=st.integers(0, 2**32),
)
def test_quotients_of_shares_are_off_by_one_at_most(values: list[int], drop: int, seed: int) -> None:
    x = torch.tensor(values)
    mask = torch.randint(-(2**63), 2**63 - 1, x.shape, generator=torch.Generator().manual_seed(seed))
    found = quotient(mask, drop, first=True) + quotient(x - mask, drop, first=False)
    assert bool(((found - (x >> drop)).abs() <= 1).all())


def test_a_share_that_nearly_wraps_is_divided_wrongly() -> None:
    """What theorem 1 of SecureML gives up: shares whose sum wraps though their mask is uniform."""
    for mask, wrong in ((2**63 - 1, False), (-(2**63) + 5, True)):
        first = torch.tensor([mask])
        found = int(quotient(first, 4, first=True) + quotient(100 - first, 4, first=False))
        assert (abs(found - (100 >> 4)) > 1) == wrong
        assert not wrong or abs(found) >= 2**59


@settings(max_examples=25)
@given(
    size=st.integers(1, 3), stride=st.integers(1, 3), padding=st.integers(0, 2), seed=st.integers(0, 2**32)
)
def test_convolutions_are_those_of_torch(size: int, stride: int, padding: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    affine = Convolution(2, 3, size, stride, padding)
    values = torch.randint(-100, 100, (3, 2, 5, 5), generator=generator)
    weight = torch.randint(-100, 100, affine.weight_shape, generator=generator)
    kernel = weight.view(3, 2, size, size).double()
    expected = torch.nn.functional.conv2d(values.double(), kernel, stride=stride, padding=padding)
    assert torch.equal(weighted(affine, values, weight).double(), expected)


def test_dense_products_and_flattening() -> None:
    values, weight = torch.arange(12).view(2, 3, 2), torch.arange(-9, 9).view(3, 6)
    rows = locally(Flatten(), values, whole=True)
    assert torch.equal(weighted(Dense(6, 3), rows, weight), rows @ weight.t())
