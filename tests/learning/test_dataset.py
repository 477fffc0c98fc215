from pathlib import Path

import numpy as np
import pytest

from mdl.errors import DataUnavailable
from mdl.learning.archives import read_silos
from mdl.learning.dataset import open_spool, spool
from mdl.learning.datasets import digits
from tests.learning.conftest import Archive


def test_a_spooled_data_set_comes_back_as_it_was(tmp_path: Path) -> None:
    written = digits()
    spool(written, tmp_path / "spool")
    read = open_spool(tmp_path / "spool")
    np.testing.assert_array_equal(read.train_images, written.train_images)
    np.testing.assert_array_equal(read.train_labels, written.train_labels)
    np.testing.assert_array_equal(read.test_images, written.test_images)
    np.testing.assert_array_equal(read.test_labels, written.test_labels)
    assert (read.classes, read.scale, read.shape) == (written.classes, written.scale, written.shape)


def test_a_spool_remembers_whose_examples_are_whose(archive: Archive, tmp_path: Path) -> None:
    archive("silo-1.npz"), archive("silo-2.npz")
    spool(read_silos(tmp_path / "silo-{worker}.npz", [1, 2]), tmp_path / "spool")
    assert open_spool(tmp_path / "spool").silos == {1: (0, 12), 2: (12, 24)}


def test_a_spool_is_mapped_and_cannot_be_written(tmp_path: Path) -> None:
    spool(digits(), tmp_path)
    images = open_spool(tmp_path).train_images
    assert not images.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_an_unfinished_spool_is_refused(tmp_path: Path) -> None:
    spool(digits(), tmp_path)
    (tmp_path / "dataset.json").unlink()
    with pytest.raises(DataUnavailable, match="holds no spooled data set"):
        open_spool(tmp_path)
