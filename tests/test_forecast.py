"""What a run of secure quantised training will cost: what one step sends, times the steps."""

from typing import Any

import pytest
from rich.console import Console

from mdl.config import parse
from mdl.tables import explanation


def said(**learning: Any) -> str:
    tables = {
        "name": "mpc",
        "workers": 3,
        "epochs": 2,
        "system": {"type": "quantised-mpc"},
        "learning": {"model": "digits-mlp", "split": "disjoint", "batch": 32, **learning},
    }
    console = Console(width=10_000)
    with console.capture() as capture:
        console.print(explanation(parse(tables), None))
    return capture.get()


def test_the_costs_of_a_step_an_epoch_and_the_run_are_said_before_it() -> None:
    text = said(local_steps=100)
    assert "A step of 32 examples sends 596 kB over all parties in 82 rounds" in text
    assert "An epoch has 100 steps: 59.6 MB" in text
    assert "All epochs, 2: 119 MB" in text


@pytest.mark.parametrize(("limit", "steps"), [(None, 45), (96, 3)])
def test_an_epoch_has_as_many_steps_as_take_all_examples_once(limit: int | None, steps: int) -> None:
    assert f"An epoch has {steps} steps" in said(**({} if limit is None else {"train_limit": limit}))
