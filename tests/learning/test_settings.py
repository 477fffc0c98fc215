import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from mdl.learning.settings import LearningSettings


def test_the_defaults_are_the_papers() -> None:
    settings = LearningSettings()
    assert (settings.learning_rate, settings.batch, settings.split) == (0.01, 128, "sample")
    assert settings.sampled_fraction == 0.6


def test_a_file_per_worker_implies_its_split() -> None:
    assert LearningSettings(dataset="hospital-{worker}.npz").split == "files"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"dataset": "silo-{worker}.npz"},
        {"split": "dirichlet", "alpha": 0.5},
        {"optimiser": "momentum"},
        {"models": ["convnet", "convnet-relu"]},
        {"split": "classes"},
    ],
)
def test_what_was_resolved_can_be_read_again(given: dict[str, Any]) -> None:
    settings = LearningSettings(**given)
    assert LearningSettings(**settings.model_dump()) == settings
    assert LearningSettings(**settings.model_dump(exclude_none=True)) == settings


def test_momentum_has_the_usual_factor_unless_told() -> None:
    assert LearningSettings(optimiser="momentum").momentum_factor == 0.9
    assert LearningSettings(optimiser="momentum", momentum=0.5).momentum_factor == 0.5


def test_workers_with_models_of_their_own_have_all_else_in_common() -> None:
    settings = LearningSettings(models=["mlp", "cnn", "mlp"], batch=7)
    assert settings.model is None
    assert [settings.own(worker).model for worker in (0, 1, 2, 3)] == ["mlp", "mlp", "cnn", "mlp"]
    assert settings.own(2) == LearningSettings(model="cnn", batch=7)
    assert list(settings.kinds) == ["mlp", "cnn"]


def test_one_model_is_everybodys_own() -> None:
    settings = LearningSettings(model="cnn")
    assert settings.own(3) is settings
    assert dict(settings.kinds) == {"cnn": settings}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"dataset": "imagenet"}, "none of digits, mnist"),
        ({"model": "transformer"}, 'like "package.module:Name"'),
        ({"model": "mlp", "models": ["mlp", "cnn"]}, "give either model, one for all, or models"),
        ({"models": []}, "give either model"),
        ({"model": "mlp", "models": []}, "give either model"),
        ({"model": None}, "give either model"),
        ({"models": ["mlp", "transformer"]}, "'transformer' is none of"),
        ({"skew": 0.8}, 'skew is for split = "classes"'),
        ({"split": "classes", "skew": 0.5}, "greater than 0.5"),
        ({"alpha": 0.1}, 'alpha is for split = "dirichlet"'),
        ({"split": "dirichlet"}, "needs alpha"),
        ({"shards": 2}, 'shards is for split = "shards"'),
        ({"split": "disjoint", "sample": 0.5}, 'sample is for split = "sample"'),
        ({"split": "files"}, "each worker then has its own file"),
        ({"dataset": "silo-{worker}.npz", "split": "disjoint"}, "each worker then has its own file"),
        ({"dataset": "silo-{worker}.npz", "train_limit": 10}, "train_limit is for one set"),
        ({"momentum": 0.9}, 'momentum is for optimiser = "momentum"'),
        ({"dataset": "own.npz", "download": True}, "download is for named sets"),
        ({"dataset": "digits", "download": True}, "download is for named sets"),
        ({"learning_rate": 0.0}, "greater than 0"),
        ({"batch": 0}, "greater than or equal to 1"),
        ({"sample": 1.5}, "less than or equal to 1"),
        ({"epochs": 3}, "Extra inputs"),
    ],
)
def test_what_cannot_be_is_refused_in_words(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        LearningSettings(**given)


def test_reading_the_settings_does_not_import_torch() -> None:
    check = "import sys, mdl.learning.settings; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], check=False)  # noqa: S603 - our own interpreter
    assert done.returncode == 0
