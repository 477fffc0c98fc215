"""The trained model as a file in the run's folder, to be loaded without this package.

``model.safetensors`` is the manager's: the global model, or the one on pooled data. Where nobody talks, each
worker has one of its own, ``model-<party>.safetensors``. Either holds a plain state dict: the names of torch,
buffers included. Its metadata says experiment, epoch, and accuracy on the test set if that was measured.
Where all workers are told one model, their files are the same, byte for byte.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from mdl.config import Experiment
from mdl.folder import write_atomically
from mdl.party import MANAGER, PartyId
from mdl.protocols.local import kept_model
from mdl.system import Arrays
from mdl.vectors import Floats

_RECORD: Final = "model"
"""What parties call their checkpoints."""


class Exporter(Protocol):
    """A learner that writes models down (`mdl.learning.local.LocalLearner`)."""

    def exported(self, parameters: Floats, metadata: Mapping[str, str]) -> bytes:
        """Give a model with these parameters as the content of a file."""


class Checkpoints(Protocol):
    """A journal that can be leafed through."""

    def epochs(self, name: str, /) -> list[int]:
        """Give the epochs with a record of this name, in ascending order."""

    def read(self, name: str, epoch: int, /) -> Arrays | None:
        """Give back a record."""


def file_name(party: PartyId) -> str:
    """Give the name of a party's file."""
    return "model.safetensors" if party == MANAGER else f"model-{party}.safetensors"


class Trained:
    """One party's model: hears how it was scored, and is written down at the end, however that came.

    Args:
        experiment: the run's.
        party: whose model.
    """

    def __init__(self, experiment: Experiment, party: PartyId) -> None:
        self._experiment, self._party = experiment, party
        self._accuracy: dict[int, float] = {}

    def note(self, event: Mapping[str, Any]) -> None:
        """Take in a line of the metrics."""
        mine = event["kind"] == "evaluated" and event["party"] == self._party
        if mine and event["model"] != "alone":
            self._accuracy[event["epoch"]] = event["accuracy"]

    def write(self, learner: Exporter, checkpoints: Checkpoints, run: Path) -> None:
        """Write the model of the last epoch completed into the run's folder, if it is a result of the run.

        In a system whose workers talk with a manager, theirs are not: they are on the way to the global one.
        """
        epochs = checkpoints.epochs(_RECORD)
        if not epochs or (self._experiment.led and self._party != MANAGER):
            return
        kept = kept_model(checkpoints.read, epochs[-1])
        assert kept is not None
        if "parameters" not in kept:
            return  # it holds shares of a model that nobody knows
        metadata = {"experiment": self._experiment.name, "epoch": str(epochs[-1])}
        # Of a model that all have, one party tells how it was scored, and all have it on record.
        accuracy = kept["accuracy"].item() if "accuracy" in kept else self._accuracy.get(epochs[-1])
        if accuracy is not None:
            metadata["accuracy"] = f"{accuracy:.6g}"
        write_atomically(run / file_name(self._party), learner.exported(kept["parameters"], metadata))
