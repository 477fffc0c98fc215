"""Membership inference on trained models."""

from functools import lru_cache

import numpy as np
import pytest
import torch

from mdl.audit.holdings import rows_of_workers
from mdl.audit.membership import models
from mdl.audit.membership.models import Model
from mdl.audit.membership.study import Audit, Finding, attack, explained
from mdl.config import Experiment
from mdl.errors import ConfigError
from mdl.learning import flat
from tests.audit.inversion.digits import dataset, experiment


@lru_cache
def _whole(epochs: int) -> Experiment:
    one = experiment("system.scheme.type=plain")
    learning = one.learning.model_copy(update={"local_steps": None, "batch": 8})
    return one.model_copy(update={"learning": learning, "epochs": epochs})


@lru_cache
def _alone(epochs: int) -> Finding:
    run, data = _whole(epochs), dataset()
    return attack(run, data, models.alone(run, data, rows_of_workers(run, data), 1), 10_000)


def test_a_model_that_has_learnt_its_examples_by_heart_gives_them_away() -> None:
    fitted, fresh = _alone(40), _alone(1)
    assert fitted.accuracy[0] > fitted.accuracy[1]
    assert fitted.score.auc.low > 0.5
    assert fitted.score.auc.value > fresh.score.auc.value


def test_an_untrained_model_tells_nothing() -> None:
    run, data = _whole(1), dataset()
    start = flat.read(models.module(run, data, models.alone(run, data, rows_of_workers(run, data), 1)))
    rng = np.random.default_rng(0)
    drawn = Model("drawn", rng.permutation(start), rows_of_workers(run, data)[1], 1)
    found = attack(run, data, drawn, 10_000)
    assert found.score.auc.low < 0.5 < found.score.auc.high


def test_as_many_members_as_others_are_drawn() -> None:
    assert _alone(1).examples == len(rows_of_workers(_whole(1), dataset())[1])
    run, data = _whole(1), dataset()
    few = attack(run, data, models.alone(run, data, rows_of_workers(run, data), 1), 50)
    assert few.examples == 50


def test_the_global_model_is_that_of_the_experiment() -> None:
    run, data = _whole(2), dataset()
    model = models.simulated(run, data, rows_of_workers(run, data))
    assert model.name == "global model after epoch 2"
    assert len(model.rows) == len(data.train_labels)
    said = models.scores(models.module(run, data, model), data.test_images, data.scale)
    assert models.losses(said, data.test_labels)[1] > 0.5


def test_losses_are_those_of_single_examples() -> None:
    run, data = _whole(1), dataset()
    model = models.alone(run, data, rows_of_workers(run, data), 1)
    network = models.module(run, data, model)
    said = models.scores(network, data.test_images[:300], data.scale)
    found, right = models.losses(said, data.test_labels[:300])
    one = torch.nn.functional.cross_entropy(
        network(torch.from_numpy(data.test_images[299:300]) / data.scale),
        torch.from_numpy(data.test_labels[299:300]),
    )
    assert found.shape == (300,)
    assert found[299] == pytest.approx(one.item(), abs=1e-5)
    assert 0 <= right <= 1


def test_another_networks_parameters_are_refused() -> None:
    with pytest.raises(ConfigError, match="has 2,410 parameters"):
        models.module(_whole(1), dataset(), Model("model", np.zeros(5, np.float32), np.arange(3), 1))


def test_it_is_said_that_cryptography_does_not_touch_this() -> None:
    said = " ".join(explained(Audit(_whole(1), _alone(1), [_alone(40)], complete=True)))
    assert "Cryptography does not touch this" in said
    assert "Neither is on" in said
    assert "a model that a worker trained alone" in said
    noisy = experiment("system.privacy.type=laplace", "system.privacy.epsilon=1")
    assert "system.privacy (laplace)" in " ".join(explained(Audit(noisy, None, [], complete=True)))


def test_no_noise_is_advised_that_the_system_refuses() -> None:
    taught = experiment("system.type=mutual", "workers=2", "epochs=1")
    said = " ".join(explained(Audit(taught, None, [], complete=True)))
    assert "DP-SGD" not in said
    assert "'mutual' has none" in said
