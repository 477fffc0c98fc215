"""What the asker is told of the scores."""

import pytest
import torch
from torch import nn

from mdl.mpc.blind.telling import Answers
from tests.mpc.blind.pairs import UNIT, Asking, answered, images, small, sources


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return small()


def test_rounded_scores_are_quarters() -> None:
    pixels = images(60)
    scores, _ = answered({0: Asking(pixels, network())}, sources())
    rounded, _ = answered({0: Asking(pixels, network(), "rounded")}, sources())
    assert torch.equal(rounded[0], (rounded[0] * 4).round() / 4)
    assert float((rounded[0] - scores[0]).abs().max()) <= 0.25 + 2 * UNIT


@pytest.mark.parametrize("answers", ["scores", "rounded"])
def test_scores_of_thousands_are_told_as_they_are(answers: Answers) -> None:
    pixels, loud = images(60), network()
    last = loud[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.bias.add_(torch.tensor([40.0, -250.0, 33.0, 6000.0, -9000.0]))
        expected = loud(pixels)
    found, _ = answered({0: Asking(pixels, loud, answers)}, sources())
    assert float((found[0] - expected).abs().max()) < 0.3


def test_of_scores_the_asker_sees_one_word_of_four_bytes_each() -> None:
    for answers in ("scores", "rounded"):
        _, traffic = answered({0: Asking(images(3), network(), answers)}, sources())
        *_, (_, sender, receiver, tensor) = traffic.messages
        assert (sender, receiver, tensor.dtype, tensor.shape) == (1, 0, torch.int32, (3, 5))


def test_labels_are_one_for_the_best_class() -> None:
    pixels = images(60)
    labels, _ = answered({1: Asking(pixels, network(), "labels")}, sources())
    best = network()(pixels).argmax(1)
    assert torch.equal(labels[1].sum(1), torch.ones(60))
    assert float((labels[1].argmax(1) == best).float().mean()) > 0.95


def test_noise_is_on_the_scores_of_whoever_answers() -> None:
    pixels = images(4)
    noise = torch.arange(20).view(4, 5) << 12
    plain, _ = answered({0: Asking(pixels, network())}, sources())
    noisy, _ = answered({0: Asking(pixels, network(), noise=noise)}, sources())
    assert float((noisy[0] - plain[0] - noise * UNIT).abs().max()) <= 4 * UNIT
