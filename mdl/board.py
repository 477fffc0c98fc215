"""A run's curves for TensorBoard: `tensorboard --logdir runs`."""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from mdl.errors import party_name
from mdl.party import PartyId

_OPINIONS: Final = {"opinions": "known", "opinions_right": "right", "learnt_from": "learnt-from"}
"""What a line says of opinions (`mdl.lessons`), and how its curve is called."""


class Board(AbstractContextManager["Board"]):
    """Writes what a run's events say into a folder, as TensorBoard reads it.

    The step of every curve is the epoch, of a worker's the worker's own. Curves: ``accuracy/global``,
    ``accuracy/worker-1``, ``accuracy/worker-1-alone``..., ``loss/worker-1``... (training), ``bytes/manager``,
    ``bytes/worker-1``... (sent), ``missed/blocks``, ``accepted/worker-1``... (contributions, so far),
    ``opinions/worker-1-known``, ``-right`` (of these, in [0, 1]) and ``-learnt-from``...

    Args:
        folder: the run's.
        warn: is told if curves cannot be written.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self._folder, self._warn = folder, warn
        self._writer = _writer_class()(str(folder), flush_secs=5)
        # A party accounts for its last epoch in two parts, and a step is to have one value.
        self._sent: dict[PartyId, tuple[int, int]] = {}

    def __enter__(self) -> "Board":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for party in self._sent:
                self._write_sent(party)
            self._writer.close()
        except OSError as error:  # the disk is full, say: what the run has come to is to be told all the same
            self._warn(f"cannot write the curves for TensorBoard into {self._folder}: {error.strerror}")

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Write what one event says."""
        match event["kind"]:
            case "evaluated":
                self._write(f"accuracy/{_model(event)}", event["accuracy"], event["epoch"])
            case "trained":
                self._write_training(event)
            case "epoch":
                self._write("missed/blocks", event["missed"], event["epoch"])
            case "accepted":
                self._write(f"accepted/{_curve(event['worker'])}", event["count"], event["epoch"])
            case "ledger":
                self._count(event["entry"])

    def _write_training(self, event: Mapping[str, Any]) -> None:
        worker, epoch = _curve(event["party"]), event["epoch"]
        if "loss" in event:  # where training is private, nobody is told
            self._write(f"loss/{worker}", event["loss"], epoch)
        for key, curve in _OPINIONS.items():
            if event.get(key) is not None:
                self._write(f"opinions/{worker}-{curve}", event[key], epoch)

    def _count(self, entry: Mapping[str, Any]) -> None:
        party, epoch = entry["party"], entry["epoch"]
        size_bytes = sum(row["size_bytes"] for row in entry["sent"].values())
        before_epoch, before_bytes = self._sent.get(party, (epoch, 0))
        if before_epoch != epoch:
            self._write_sent(party)
            before_bytes = 0
        self._sent[party] = (epoch, before_bytes + size_bytes)

    def _write_sent(self, party: PartyId) -> None:
        epoch, size_bytes = self._sent[party]
        self._write(f"bytes/{_curve(party)}", size_bytes, epoch)

    def _write(self, curve: str, value: float, epoch: int) -> None:
        self._writer.add_scalar(curve, value, epoch)


def _model(event: Mapping[str, Any]) -> str:
    """Name the curve of an evaluated model: a party's own by the party alone."""
    model = event["model"]
    if model in ("global", "pooled"):
        return str(model)
    return _curve(event["party"]) + ("" if model == "own" else f"-{model}")


def _curve(party: PartyId) -> str:
    return party_name(party).replace(" ", "-")


def _writer_class() -> Any:
    """Import tensorboardX without torch.

    It imports torch where it can, to take tensors too. Here are only numbers, and torch would cost the
    launcher most of a second and 200 MB.
    """
    hide = "torch" not in sys.modules
    if hide:
        sys.modules["torch"] = None  # type: ignore[assignment] # the import system's way to say: there is none
    try:
        from tensorboardX import SummaryWriter
    finally:
        if hide:
            del sys.modules["torch"]
    return SummaryWriter
