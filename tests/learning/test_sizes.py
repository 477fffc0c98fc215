"""What can be said before a data set is read."""

from pathlib import Path

import numpy as np
import pytest

from mdl.errors import DataUnavailable
from mdl.learning.datasets import NAMED
from mdl.learning.settings import LearningSettings
from mdl.learning.sizes import check_data, missing_data, models_of, parameter_count


@pytest.mark.parametrize(
    ("dataset", "model", "parameters"),
    [
        ("digits", "digits-mlp", 2_410),
        ("mnist", "mlp", 140_106),
        ("fashion-mnist", "cnn", 105_506),
        ("svhn", "cnn", 313_546),
        ("cifar10", "mlp", 402_250),
    ],
)
def test_named_sets_need_not_be_there_to_count_parameters(dataset: str, model: str, parameters: int) -> None:
    [sized] = models_of(LearningSettings(dataset=dataset, model=model), None, workers=3).values()
    assert parameter_count(sized.network) == parameters


def test_each_kind_of_network_is_made_once() -> None:
    found = models_of(LearningSettings(models=["mlp", "digits-mlp", "mlp"]), None, workers=3)
    assert {name: parameter_count(sized.network) for name, sized in found.items()} == {
        "mlp": 64 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10,
        "digits-mlp": 2_410,
    }


def test_a_file_of_the_users_own_is_read_for_its_shape(tmp_path: Path) -> None:
    images, labels = np.zeros((3, 5), np.float32), np.array([0, 1, 2])
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    settings = LearningSettings(dataset=str(tmp_path / "own.npz"), model="digits-mlp")
    [sized] = models_of(settings, None, workers=3).values()
    assert parameter_count(sized.network) == 5 * 32 + 32 + 32 * 3 + 3


def test_a_set_that_is_not_there_is_told_with_the_way_to_get_it(tmp_path: Path) -> None:
    settings = LearningSettings(dataset="mnist")
    assert "fetch" in (missing_data(settings, tmp_path) or "")
    assert "MDL_DATA" in (missing_data(settings, None) or "")
    # The file's own folder comes before the environment's.
    elsewhere = LearningSettings(dataset="mnist", data_dir=str(tmp_path / "elsewhere"))
    assert "elsewhere" in (missing_data(elsewhere, tmp_path) or "")


def test_nothing_is_missing_where_the_files_are_or_none_are_needed(tmp_path: Path) -> None:
    assert missing_data(LearningSettings(dataset="digits"), None) is None
    assert missing_data(LearningSettings(dataset="mine.npz"), None) is None
    (tmp_path / "svhn.npz").touch()
    assert missing_data(LearningSettings(dataset="svhn"), tmp_path) is None
    for file in NAMED["cifar10"].files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert missing_data(LearningSettings(dataset="cifar10"), tmp_path) is None


@pytest.mark.parametrize("dataset", ["mine.npz", "silo-{worker}.npz"])
def test_the_users_own_files_are_asked_for_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = LearningSettings(dataset=dataset)
    with pytest.raises(DataUnavailable, match=r"(mine|silo-1)\.npz does not exist"):
        check_data(settings, None, workers=2)
    (data := tmp_path / "data").mkdir()
    for name in ("mine", "silo-1", "silo-2"):
        (data / f"{name}.npz").touch()
    check_data(settings, data, workers=2)  # they are there; what is in them is for whoever reads them


def test_a_named_set_is_asked_for_by_name() -> None:
    with pytest.raises(DataUnavailable, match="MDL_DATA"):
        check_data(LearningSettings(dataset="mnist"), None, workers=2)
    check_data(LearningSettings(dataset="digits"), None, workers=2)


def test_what_the_run_will_download_is_not_missing_if_it_knows_where_to(tmp_path: Path) -> None:
    settings = LearningSettings(dataset="mnist", download=True)
    assert missing_data(settings, tmp_path) is None
    assert "MDL_DATA" in (missing_data(settings, None) or "")
