"""What an epoch of SMuLe will cost is said before the run, and is what the run then sends."""

import re
from collections.abc import Mapping
from typing import Any

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
        "learning": {**TABLES["learning"], **learning},
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


@pytest.mark.parametrize(
    ("system", "model", "what"),
    [
        ({"randomness": "encryption"}, "digits-mlp", "compares"),
        ({}, "cnn", "its layer"),
    ],
)
def test_what_will_be_refused_is_said_before(system: Mapping[str, Any], model: str, what: str) -> None:
    data = {"dataset": "mnist"} if model == "cnn" else {}
    text = said(system, model=model, **data)
    assert "The run will be refused." in text
    assert what in text
