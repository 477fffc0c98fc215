"""What a party keeps of its training.

Private epochs are counted for good: what was trained may have been released, whatever came after. A
checkpoint that cannot be read may be removed.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mdl.config import check_resumable, parse
from mdl.errors import ConfigError, DamagedRecord
from mdl.folder import FileJournal
from mdl.party import PartyId
from mdl.protocols.local import kept_model
from mdl.simulator import simulate
from mdl.simulator.run import MemoryJournal
from mdl.system import Arrays, Training
from mdl.systems.fedavg import FedAvg
from tests.tiny import TinyLearner


class PrivateLearner(TinyLearner):
    def train(self, epoch: int) -> Training:
        return Training(super().train(epoch).parameters, None, 10)


def counts(
    learner: Callable[[PartyId], TinyLearner], journals: dict[PartyId, MemoryJournal], resume: int
) -> list[int]:
    simulation = simulate(FedAvg(), learner, workers=2, epochs=3, seed=0, resume=resume, journals=journals)
    assert not simulation.errors
    trained = [line for line in simulation.records if line["kind"] == "trained" and line["party"] == 1]
    assert all("loss" not in line for line in trained)
    return [line["private_epochs"] for line in trained]


def test_private_epochs_are_counted_and_a_resumed_run_counts_on() -> None:
    journals = {party: MemoryJournal() for party in range(3)}
    assert counts(PrivateLearner, journals, resume=0) == [1, 2, 3]
    # The last epoch is trained again: both its results may be known.
    assert counts(PrivateLearner, journals, resume=2) == [4]


def test_who_trains_as_usual_keeps_no_such_count() -> None:
    simulation = simulate(FedAvg(), TinyLearner, workers=2, epochs=1, seed=0)
    [line, _] = [line for line in simulation.records if line["kind"] == "trained"]
    assert "private_epochs" not in line
    assert line["loss"] > 0


@pytest.mark.parametrize(("noise", "fixed"), [({"epsilon": 3.0}, True), ({"noise_multiplier": 1.0}, False)])
def test_noise_that_was_made_for_so_many_epochs_is_not_used_for_others(
    noise: dict[str, float], fixed: bool
) -> None:
    tables = {
        "name": "x",
        "workers": 2,
        "system": {"type": "fedavg"},
        "learning": {"privacy": {"type": "dp-sgd", **noise}},
    }
    before, now = parse({**tables, "epochs": 3}), parse({**tables, "epochs": 5})
    if fixed:
        with pytest.raises(ConfigError, match="epochs: is 3 in the run, which cannot go on with 5"):
            check_resumable(before, now)
    else:
        check_resumable(before, now)


class DamagedJournal(MemoryJournal):
    """One whose records are there and cannot be read."""

    def read(self, name: str, epoch: int) -> Arrays | None:
        raise DamagedRecord(f"{name}-{epoch}", "torn")

    def newest(self, name: str, until: int) -> Arrays | None:
        return self.read(name, until)


@pytest.mark.parametrize("party", [0, 1])
def test_who_cannot_read_its_checkpoint_is_told_to_remove_it(party: PartyId) -> None:
    journals: dict[PartyId, MemoryJournal] = {each: MemoryJournal() for each in range(3)}
    simulate(FedAvg(), TinyLearner, workers=2, epochs=1, seed=0, journals=journals)
    journals[party] = DamagedJournal()
    resumed = simulate(FedAvg(), TinyLearner, workers=2, epochs=2, seed=0, resume=1, journals=journals)
    error = resumed.errors[party]
    assert isinstance(error, DamagedRecord)
    assert str(error).startswith("model-1 is damaged (torn): remove it to go on from the epoch before")


def test_a_damaged_checkpoint_on_disk_is_one_to_remove(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, 1)
    journal.write("model", 3, {"a": np.zeros(4)})
    [path] = (tmp_path / "checkpoints" / "1").iterdir()
    path.write_bytes(b"")
    with pytest.raises(DamagedRecord, match=f"{path} is damaged .*: remove it to go on"):
        kept_model(journal.newest, 4)
