from pathlib import Path

import numpy as np
import pytest
import torch

from mdl.errors import ConfigError
from mdl.learning import flat
from mdl.learning.models import MODELS, Shape, build
from mdl.learning.settings import NAMED_MODELS, LearningSettings
from mdl.mpc.networks import problems


@pytest.mark.parametrize(
    ("model", "shape", "parameters"),
    [
        ("mlp", (1, 28, 28), 140_106),
        ("cnn", (1, 28, 28), 105_506),
        ("mlp", (3, 32, 32), 402_250),
        ("cnn", (3, 32, 32), 313_546),
        ("digits-mlp", (1, 8, 8), 2_410),
        ("network-a", (1, 28, 28), 118_282),
        ("network-b", (1, 28, 28), 33_542),
        ("network-c", (1, 28, 28), 431_080),
        ("network-d", (1, 28, 28), 99_240),
        ("alexnet", (3, 32, 32), 399_306),
        ("alexnet-falcon", (3, 32, 32), 3_881_354),
        ("convnet", (3, 32, 32), 10_986),
        ("convnet-relu", (3, 32, 32), 10_986),
        ("convnet", (1, 28, 28), 10_186),
        ("convnet", (1, 8, 8), 5_386),
        ("digits-quadratic", (1, 8, 8), 2_410),
        ("mlp", (20,), 20 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10),
    ],
)
def test_the_networks_have_the_papers_sizes(model: str, shape: Shape, parameters: int) -> None:
    network = build(LearningSettings(model=model), shape, 10, seed=0)
    assert flat.count(network) == parameters
    assert network(torch.zeros(3, *shape)).shape == (3, 10)


def test_every_name_of_the_settings_is_a_network() -> None:
    assert set(MODELS) == set(NAMED_MODELS)


def test_padding_surrounds_the_image_with_zeros() -> None:
    network = build(LearningSettings(model="mlp"), (1, 28, 28), 10, seed=0)
    assert isinstance(network, torch.nn.Sequential)
    padded = network[0](torch.ones(1, 1, 28, 28))
    assert padded.shape == (1, 1, 32, 32)
    assert padded[0, 0, 2:-2, 2:-2].all()
    assert padded.sum() == 28 * 28


@pytest.mark.parametrize("model", [*NAMED_MODELS[:1], "tests.learning.networks:Normalised"])
def test_the_same_seed_gives_the_same_initial_parameters(model: str) -> None:
    settings = LearningSettings(model=model)
    first, again, other = (flat.read(build(settings, (1, 8, 8), 10, seed)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_making_a_model_leaves_torchs_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    build(LearningSettings(), (1, 8, 8), 10, seed=9)
    assert torch.equal(torch.rand(3), expected)


def test_trying_a_users_model_leaves_its_running_averages_alone() -> None:
    model = build(LearningSettings(model="tests.learning.networks:Normalised"), (1, 8, 8), 10, seed=0)
    assert model.training
    assert not model.get_buffer("normal.running_mean").any()


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("no.such.module:Net", "gives no model: ModuleNotFoundError"),
        ("tests.learning.networks:Nothing", "gives no model: AttributeError"),
        ("tests.learning.networks:NOT_CALLABLE", "gives no model: TypeError"),
        ("tests.learning.networks:fails", "gives no model: KeyError"),
        ("tests.learning.networks:not_a_module", "gives a str; expected a torch.nn.Module"),
        ("tests.learning.networks:needs_more_pixels", "cannot take examples of 1x8x8"),
        ("tests.learning.networks:seven_classes", r"with \(2, 7\)"),
        ("tests.learning.networks:pair", "with tuple"),
    ],
)
def test_a_model_that_cannot_serve_is_refused_in_words(path: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        build(LearningSettings(model=path), (1, 8, 8), 10, seed=0)


def test_of_a_missing_module_it_is_said_where_it_was_looked_for() -> None:
    with pytest.raises(ConfigError, match=rf"looked for is no/nets\.py, in {Path.cwd()} and among installed"):
        build(LearningSettings(model="no.nets:small"), (1, 8, 8), 10, seed=0)


def test_a_module_that_lacks_another_is_not_said_to_be_missing_itself() -> None:
    with pytest.raises(ConfigError, match=r"No module named 'a_package_that_nobody_has'$"):
        build(LearningSettings(model="tests.learning.networks:lacks_a_package"), (1, 8, 8), 10, seed=0)


def test_the_cnn_says_which_images_it_takes() -> None:
    with pytest.raises(ConfigError, match=r"3x32x32,.* these are 1x8x8; choose mlp"):
        build(LearningSettings(model="cnn"), (1, 8, 8), 10, seed=0)


@pytest.mark.parametrize(
    ("model", "side"),
    [("network-b", 28), ("network-c", 28), ("network-d", 28), ("alexnet", 32), ("alexnet-falcon", 32)],
)
def test_networks_for_images_of_one_size_refuse_others(model: str, side: int) -> None:
    with pytest.raises(ConfigError, match=f"{model} is for images of {side}x{side}, and these are 1x8x8"):
        build(LearningSettings(model=model), (1, 8, 8), 10, seed=0)


@pytest.mark.parametrize(
    "model", ["network-a", "network-b", "network-c", "network-d", "alexnet", "alexnet-falcon"]
)
def test_networks_of_secure_training_are_computed_in_secret_and_begin_as_glorot_has_it(model: str) -> None:
    shape = (3, 32, 32) if model.startswith("alexnet") else (1, 28, 28)
    network = build(LearningSettings(model=model), shape, 10, seed=0)
    assert problems(network, shape) == []
    for layer in network.modules():
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d):
            window = layer.weight[0, 0].numel()
            reach = (6 / (window * (layer.weight.shape[0] + layer.weight.shape[1]))) ** 0.5
            assert 0.9 * reach < float(layer.weight.detach().abs().max()) <= reach
            assert layer.bias is not None
            assert not layer.bias.any()
