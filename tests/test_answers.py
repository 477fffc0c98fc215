"""What a worker asks a shared model, and what it is told."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from mdl.answers import Asked, asked, check_question, right_of, write_answers
from mdl.config import parse
from mdl.errors import DataUnavailable
from mdl.rehearsal import cast as learners_of
from mdl.system import OpenLearner

EXPERIMENT = parse(
    {
        "name": "mpc",
        "workers": 3,
        "epochs": 1,
        "system": {"type": "quantised-mpc"},
        "learning": {"model": "digits-mlp", "split": "disjoint", "batch": 16, "test_limit": 50},
    }
)


@pytest.fixture(scope="module")
def learner() -> OpenLearner:
    return cast(OpenLearner, learners_of(EXPERIMENT, None)[2])


def test_without_a_file_the_test_set_is_asked(learner: OpenLearner) -> None:
    found = asked("", learner, 0)
    assert found.images.shape == (50, 1, 8, 8)
    assert found.labels is not None
    assert len(found.labels) == 50
    assert len(asked("", learner, 7).images) == 7


def test_images_of_ones_own_need_no_labels(learner: OpenLearner, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x_test=np.ones((3, 1, 8, 8)))
    found = asked(str(tmp_path / "mine.npz"), learner, 0)
    assert found.images.dtype == np.float32
    assert found.labels is None
    path = write_answers(tmp_path, found, np.eye(3, 10, dtype=np.float32))
    assert path.read_text().splitlines()[1].startswith("0,0,,1,0,")
    assert right_of(path) is None


def test_files_are_read_as_those_to_train_on(learner: OpenLearner, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x_test=np.full((3, 8, 8), 16, np.uint8), scale=16)
    check_question(tmp_path / "mine.npz", (1, 8, 8), 10)
    found = asked(str(tmp_path / "mine.npz"), learner, 0)
    assert found.images.shape == (3, 1, 8, 8)
    assert (found.images == 1.0).all()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x_test": np.ones((3, 64))}, r"the network takes \(1, 8, 8\)"),
        ({"x_test": np.ones((0, 1, 8, 8))}, "with at least one example"),
        ({"images": np.ones((3, 1, 8, 8))}, "lacks x_test"),
        ({"x_test": np.ones((3, 1, 8, 8)), "y_test": np.ones(4, int)}, "expected 3 integers"),
        ({"x_test": np.ones((3, 1, 8, 8)), "y_test": np.full(3, 77)}, "label 77; there are 10"),
        ({"x_test": np.full((3, 1, 8, 8), np.nan)}, "not finite"),
        ({"x_test": np.full((3, 1, 8, 8), 2.0**14)}, "not within"),
    ],
)
def test_what_is_no_question_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    np.savez(tmp_path / "mine.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataUnavailable, match=said):
        check_question(tmp_path / "mine.npz", (1, 8, 8), 10)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.npz").write_bytes(b"PK nonsense")
    with pytest.raises(DataUnavailable, match=r"cannot be read as an \.npz archive"):
        check_question(tmp_path / "mine.npz", (1, 8, 8), 10)


def test_answers_are_counted_against_labels(tmp_path: Path) -> None:
    scores = np.array([[0.5, 2.0], [3.0, 1.0], [-1.0, -0.5]], np.float32)
    found = Asked(np.zeros((3, 1), np.float32), np.array([1, 1, 1]))
    path = write_answers(tmp_path, found, scores)
    assert path.read_text().splitlines() == [
        *("image,class,label,score_0,score_1", "0,1,1,0.5,2", "1,0,1,3,1", "2,1,1,-1,-0.5"),
    ]
    assert right_of(path) == (2, 3)
