"""Whole runs are marked as such, and no process outlives its test."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from mdl.learning.datasets import digits
from tests.end_to_end.runs import stop_all


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.whole_run)


@pytest.fixture(autouse=True)
async def _nothing_left_running() -> AsyncIterator[None]:
    yield
    await stop_all()


@pytest.fixture(scope="session")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive of some of the digits: to read it takes no scikit-learn, which takes a run half a second."""
    path, found = tmp_path_factory.mktemp("data") / "few-digits.npz", digits()
    np.savez(
        path,
        x_train=found.train_images[:200],
        y_train=found.train_labels[:200],
        x_test=found.test_images[:50],
        y_test=found.test_labels[:50],
        classes=found.classes,
        scale=found.scale,
    )
    return str(path)
