from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdl.errors import DataUnavailable
from mdl.learning.archives import read_archive, read_silos
from tests.learning.conftest import Archive


def test_pixels_stay_bytes_and_end_at_255(archive: Archive) -> None:
    dataset = read_archive(archive())
    assert dataset.train_images.dtype == np.uint8
    assert (dataset.scale, dataset.classes, dataset.shape) == (255.0, 3, (1, 4, 4))


def test_floating_features_are_used_as_they_are(archive: Archive) -> None:
    dataset = read_archive(archive(x_train=np.full((12, 5), 0.25), x_test=np.full((6, 5), 0.5)))
    assert dataset.train_images.dtype == np.float32
    assert (dataset.scale, dataset.shape) == (1.0, (5,))


def test_images_without_a_channel_get_one(archive: Archive) -> None:
    grey = {"x_train": np.zeros((12, 4, 4), np.uint8), "x_test": np.zeros((6, 4, 4), np.uint8)}
    assert read_archive(archive(**grey)).shape == (1, 4, 4)


def test_an_archive_may_say_its_classes_and_its_scale(archive: Archive) -> None:
    dataset = read_archive(archive(classes=10, scale=16.0))
    assert (dataset.classes, dataset.scale) == (10, 16.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"y_test": None}, "lacks y_test"),
        ({"x_train": np.zeros((12, 2, 2, 2, 2), np.uint8)}, "x_train has shape"),
        ({"x_train": np.zeros((0, 1, 4, 4), np.uint8)}, "at least one example"),
        ({"x_train": np.zeros((12, 4, 4, 3), np.uint8)}, "channels come second|must agree"),
        ({"x_train": np.zeros((12, 32, 32, 3), np.uint8)}, "channels come second"),
        ({"x_train": np.zeros((12, 1, 4, 4), np.int64)}, "of type int64"),
        ({"x_train": np.full((12, 1, 4, 4), np.nan)}, "not finite"),
        ({"x_train": np.zeros((12, 1, 5, 5), np.uint8)}, "must agree"),
        ({"y_train": np.arange(11)}, "expected 12 integers"),
        ({"y_train": np.zeros(12)}, "expected 12 integers"),
        ({"y_train": np.arange(12) - 1}, "labels count from 0"),
        ({"classes": 2}, "a label is 2"),
        ({"scale": 0.0}, "one positive number"),
        ({"x_train": np.array([object()] * 12)}, "plain arrays"),
    ],
)
def test_a_malformed_archive_is_refused_in_words(
    archive: Archive, changes: dict[str, Any], sentence: str
) -> None:
    path = archive(**changes)
    with pytest.raises(DataUnavailable, match=sentence):
        read_archive(path)


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"nowhere\.npz does not exist"):
        read_archive(tmp_path / "nowhere.npz")


def test_of_a_relative_path_it_is_said_where_it_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    where = rf"looked for is {tmp_path}/own\.npz: relative paths are from the current directory"
    with pytest.raises(DataUnavailable, match=where):
        read_archive(Path("own.npz"))


def test_a_text_under_an_archives_name_is_refused_without_advice_to_load_pickles(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("x_train, y_train\n1, 2\n")
    with pytest.raises(DataUnavailable, match="it is none, by its first bytes") as caught:
        read_archive(tmp_path / "text.npz")
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"no archive at all"])
def test_a_torn_file_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "torn.npz").write_bytes(content)
    with pytest.raises(DataUnavailable, match="cannot be read"):
        read_archive(tmp_path / "torn.npz")


def test_a_lone_array_under_an_archives_name_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "lone.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataUnavailable, match="cannot be read"):
        read_archive(tmp_path / "lone.npz")


def test_silos_lie_behind_one_another(archive: Archive, tmp_path: Path) -> None:
    first = read_archive(archive("silo-1.npz"))
    other = read_archive(archive("silo-2.npz", y_train=np.arange(12) % 2, y_test=np.arange(6) % 2, classes=3))
    both = read_silos(tmp_path / "silo-{worker}.npz", [1, 2])
    start, stop = both.silos[2]
    np.testing.assert_array_equal(both.train_images[start:stop], other.train_images)
    assert len(both.test_labels) == len(first.test_labels) + len(other.test_labels)
    assert both.classes == 3


def test_a_silo_that_lacks_the_last_class_is_told_how_to_say_so(archive: Archive, tmp_path: Path) -> None:
    archive("silo-1.npz")
    archive("silo-2.npz", y_train=np.arange(12) % 2, y_test=np.arange(6) % 2)
    with pytest.raises(DataUnavailable, match=r"worker 2 has 2 classes, that of worker 1 3.*`classes`"):
        read_silos(tmp_path / "silo-{worker}.npz", [1, 2])


def test_silos_of_different_shapes_do_not_go_together(archive: Archive, tmp_path: Path) -> None:
    archive("silo-1.npz")
    archive("silo-2.npz", x_train=np.zeros((12, 9), np.uint8), x_test=np.zeros((6, 9), np.uint8))
    with pytest.raises(DataUnavailable, match="the file of worker 2"):
        read_silos(tmp_path / "silo-{worker}.npz", [1, 2])
