"""What an epoch of SMuLe will cost is said before the run, and is what the run then sends."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mdl.config import parse
from mdl.rehearsal import cast
from mdl.simulator import simulate
from mdl.systems.mutual.messages import Announcement
from mdl.tables import explanation

TABLES: Mapping[str, Any] = {
    "name": "smule",
    "workers": 2,
    "epochs": 3,
    "system": {"type": "mutual", "refresh": 0.25},
    "learning": {"model": "digits-quadratic", "split": "disjoint", "train_limit": 80, "test_limit": 20},
}


def said(system: Mapping[str, Any] | None = None, **learning: Any) -> str:
    tables = {
        **TABLES,
        "system": {**TABLES["system"], **(system or {})},
        "learning": {key: value for key, value in {**TABLES["learning"], **learning}.items() if value},
    }
    console = Console(width=10_000)
    with console.capture() as capture:
        console.print(explanation(parse(tables), None))
    return capture.get()


@pytest.mark.parametrize("randomness", ["dealer", "encryption"])
def test_what_is_said_is_what_is_sent(randomness: str) -> None:
    """But for seals and lengths, and one message an epoch to a dealer."""
    tables = {**TABLES, "system": {**TABLES["system"], "randomness": randomness}}
    found = parse(tables)
    learners = cast(found, None)
    sent: dict[int, int] = {}
    for epochs in (2, 3):
        simulation = simulate(found.system, learners.__getitem__, workers=2, epochs=epochs)
        assert not simulation.errors
        sealed = [one.message for one in simulation.transcript if not isinstance(one.message, Announcement)]
        sent[epochs] = sum(len(getattr(message, "data", b"")) for message in sealed)
    expected = re.search(r"images: ([\d.]+) (kB|MB) over all parties", said({"randomness": randomness}))
    assert expected
    size = float(expected[1]) * {"kB": 1e3, "MB": 1e6}[expected[2]]
    assert sent[3] - sent[2] == pytest.approx(size, rel=0.02)


def test_each_worker_asks_a_part_of_its_examples() -> None:
    assert "each worker asks about 10 of its images" in said()
    assert "In all epochs but the first, 2: " in said()


def test_models_of_their_own_are_both_counted() -> None:
    assert said(model=None, models=["digits-quadratic", "digits-mlp"]) != said()


def archives(place: Path, *rows: int) -> str:
    for worker, count in enumerate(rows, start=1):
        images, labels = np.zeros((count, 1, 8, 8), np.float32), np.arange(count) % 10
        np.savez(place / f"own-{worker}.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return str(place / "own-{worker}.npz")


def test_workers_with_files_of_their_own_ask_each_about_a_part_of_it(tmp_path: Path) -> None:
    text = said(dataset=archives(tmp_path, 300, 60), split="files", train_limit=None)
    assert "worker 1 asks about 75, worker 2 about 15 of its images" in text


def test_a_limit_that_is_reached_is_counted() -> None:
    whole, limited = said(), said({"answers_limit": 13})
    assert "In an epoch each worker asks about 10 of its images" in limited
    assert "unless" not in whole + limited
    assert "13 answers that are its limit" not in whole
    assert "In all epochs but the first, 2: " in limited  # ten, then three
    assert "By epoch 2 each worker has given the 10 answers that are its limit" in said({"answers_limit": 10})
    sizes = [
        float(found) for text in (whole, limited) for found in re.findall(r"first, 2: ([\d.]+) kB", text)
    ]
    assert sizes[1] < sizes[0]


def test_a_limit_of_none_leaves_nothing_to_forecast() -> None:
    assert "Nothing is asked" in said({"answers_limit": 0})


def test_it_is_said_below_which_part_of_right_opinions_none_is_learnt() -> None:
    assert "fewer of all known ones are right than a fifth of the way" in said()
    assert "right than 0.3: system.least_accuracy" in said({"least_accuracy": 0.3})
    assert "however many are wrong" in said({"least_accuracy": 0.0})
