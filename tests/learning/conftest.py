import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

Archive = Callable[..., Path]

torch.set_num_threads(1)


@pytest.fixture
def data_dir() -> Path:
    folder = os.environ.get("MDL_DATA")
    if folder is None:
        pytest.skip(
            "reads the real MNIST and CIFAR-10, which no download brings here: set MDL_DATA to their folder"
        )
    return Path(folder)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Writes a small well-formed archive; keywords replace arrays, and None leaves one out."""

    def write(name: str = "own.npz", **changes: Any) -> Path:
        rng = np.random.default_rng(len(name))
        arrays: dict[str, Any] = {
            "x_train": rng.integers(0, 256, (12, 1, 4, 4), np.uint8),
            "y_train": np.arange(12) % 3,
            "x_test": rng.integers(0, 256, (6, 1, 4, 4), np.uint8),
            "y_test": np.arange(6) % 3,
        }
        arrays |= changes
        np.savez(tmp_path / name, **{key: value for key, value in arrays.items() if value is not None})
        return tmp_path / name

    return write
