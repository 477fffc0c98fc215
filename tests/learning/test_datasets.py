import gzip
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mdl.errors import DataUnavailable
from mdl.learning import datasets
from mdl.learning.datasets import digits, load
from mdl.learning.settings import LearningSettings
from tests.learning.conftest import Archive


def test_the_digits_are_split_class_by_class() -> None:
    dataset = digits()
    assert dataset.train_images.shape == (1442, 1, 8, 8)
    assert dataset.test_images.shape == (355, 1, 8, 8)
    train, test = np.bincount(dataset.train_labels), np.bincount(dataset.test_labels)
    assert (np.abs(test / (train + test) - 0.2) < 0.01).all()


def test_the_digits_are_those_that_scikit_learn_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    bunch = load_digits()
    expected = np.c_[bunch.data, bunch.target]
    np.testing.assert_array_equal(datasets._digits_table(), expected)
    monkeypatch.setattr(datasets, "_DIGITS_FILE", "elsewhere")
    np.testing.assert_array_equal(datasets._digits_table(), expected)


def test_digits_are_read_without_importing_scikit_learn() -> None:
    program = (
        "import sys; from mdl.learning.datasets import digits; digits(); print('sklearn' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"  # noqa: S603


def test_the_digits_are_bytes_up_to_their_scale() -> None:
    dataset = digits()
    assert dataset.train_images.dtype == np.uint8
    assert dataset.train_images.max() == dataset.scale == 16


def test_a_missing_set_says_what_was_sought_where_and_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable) as raised:
        load(LearningSettings(dataset="svhn"), tmp_path)
    text = str(raised.value)
    assert str(tmp_path) in text
    assert "train_32x32.mat" in text
    assert "svhn.npz" in text
    assert "learning.download=true" in text
    assert "scripts/fetch_data.py svhn" in text


def test_a_named_set_needs_a_folder() -> None:
    with pytest.raises(DataUnavailable, match="MDL_DATA"):
        load(LearningSettings(dataset="mnist"))


def test_an_archive_stands_in_for_a_named_set(archive: Archive) -> None:
    path = archive("fashion-mnist.npz")
    assert load(LearningSettings(dataset="fashion-mnist"), path.parent).classes == 3


def test_the_settings_folder_comes_before_the_given_one(archive: Archive, tmp_path: Path) -> None:
    path = archive("cifar10.npz")
    settings = LearningSettings(dataset="cifar10", data_dir=str(path.parent))
    assert load(settings, tmp_path / "elsewhere").classes == 3


def test_a_relative_archive_is_found_in_the_folder(archive: Archive) -> None:
    path = archive("relative-to-the-folder.npz")
    assert load(LearningSettings(dataset=path.name), path.parent).classes == 3


def test_each_workers_own_file_is_read(archive: Archive) -> None:
    archive("silo-1.npz"), archive("silo-2.npz")
    pattern = archive("silo-3.npz").parent / "silo-{worker}.npz"
    assert set(load(LearningSettings(dataset=str(pattern)), workers=[1, 3]).silos) == {1, 3}


def test_the_official_pickles_of_cifar10_are_checked_before_they_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps({"data": "forged"}))
    with pytest.raises(DataUnavailable, match=r"cifar10 in .* cannot be read"):
        load(LearningSettings(dataset="cifar10"), tmp_path)


def test_idx_files_are_read_through_torchvision(tmp_path: Path) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28), np.uint8)
    header = bytes([0, 0, 8, 3, *(0, 0, 0, 4), *(0, 0, 0, 28), *(0, 0, 0, 28)])
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 4, 9, 0, 2, 3]))
    dataset = load(LearningSettings(dataset="fashion-mnist"), tmp_path)
    np.testing.assert_array_equal(dataset.train_images[:, 0], images)
    assert dataset.test_labels.tolist() == [9, 0, 2, 3]
    assert dataset.classes == 10


def test_compressed_idx_files_alone_count_as_missing(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(DataUnavailable, match="Expected there"):
        load(LearningSettings(dataset="mnist"), tmp_path)


def test_the_real_mnist_is_whole(data_dir: Path) -> None:
    dataset = load(LearningSettings(dataset="mnist"), data_dir)
    assert dataset.train_images.shape == (60_000, 1, 28, 28)
    assert dataset.test_images.shape == (10_000, 1, 28, 28)
    assert np.bincount(dataset.test_labels).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]


def test_the_real_cifar10_is_whole(data_dir: Path) -> None:
    dataset = load(LearningSettings(dataset="cifar10"), data_dir)
    assert dataset.train_images.shape == (50_000, 3, 32, 32)
    assert np.bincount(dataset.test_labels).tolist() == [1000] * 10
    assert dataset.scale == 255
