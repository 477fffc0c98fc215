"""Curves for TensorBoard, read back from the file."""

import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from mdl.board import Board
from tests.full_disk import files_up_to


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """All curves in a folder, each a list of (epoch, value)."""
    found: dict[str, list[tuple[int, float]]] = {}
    for event in _events(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, round(value.simple_value, 6)))
    return found


def _events(folder: Path) -> Iterator[Any]:
    [path] = folder.glob("events.out.tfevents.*")
    data = path.read_bytes()
    while data:
        # A record: its length (8 bytes), a checksum (4), the event, a checksum (4).
        (length,) = struct.unpack("<Q", data[:8])
        yield Event.FromString(data[12 : 12 + length])
        data = data[16 + length :]


def sent(party: int, epoch: int, size_bytes: int) -> Mapping[str, Any]:
    traffic = {"Upload": {"messages": 1, "size_bytes": size_bytes}}
    return {"kind": "ledger", "entry": {"party": party, "epoch": epoch, "sent": traffic, "received": {}}}


def test_accuracy_loss_and_misses_are_curves_over_the_epochs(tmp_path: Path) -> None:
    with Board(tmp_path, pytest.fail) as board:
        for epoch in (1, 2):
            board({"kind": "trained", "party": 3, "epoch": epoch, "loss": 1.0 / epoch, "examples": 5})
            board({"kind": "epoch", "party": 0, "epoch": epoch, "opened": 8, "missed": epoch})
            board({"kind": "evaluated", "party": 0, "epoch": epoch, "model": "global", "accuracy": 0.25})
        board({"kind": "evaluated", "party": 3, "epoch": 2, "model": "own", "accuracy": 0.5})
        board({"kind": "evaluated", "party": 3, "epoch": 2, "model": "alone", "accuracy": 0.125})
    assert curves(tmp_path) == {
        "loss/worker-3": [(1, 1.0), (2, 0.5)],
        "missed/blocks": [(1, 1.0), (2, 2.0)],
        "accuracy/global": [(1, 0.25), (2, 0.25)],
        "accuracy/worker-3": [(2, 0.5)],
        "accuracy/worker-3-alone": [(2, 0.125)],
    }


def test_the_bytes_of_an_epoch_are_one_value_for_each_party(tmp_path: Path) -> None:
    with Board(tmp_path, pytest.fail) as board:
        for party, epoch, size in ((0, 1, 10), (1, 1, 20), (0, 2, 30), (1, 2, 40), (0, 2, 5)):
            board(sent(party, epoch, size))
    assert curves(tmp_path) == {
        "bytes/manager": [(1, 10.0), (2, 35.0)],
        "bytes/worker-1": [(1, 20.0), (2, 40.0)],
    }


def test_accepted_contributions_are_a_curve_a_worker_over_the_epochs_of_the_run(tmp_path: Path) -> None:
    with Board(tmp_path, pytest.fail) as board:
        for epoch, count in ((1, 4), (2, 7)):
            board({"kind": "accepted", "party": 0, "epoch": epoch, "worker": 3, "count": count})
    assert curves(tmp_path) == {"accepted/worker-3": [(1, 4.0), (2, 7.0)]}


def test_events_without_a_curve_are_passed_over(tmp_path: Path) -> None:
    with Board(tmp_path, pytest.fail) as board:
        board({"kind": "starting", "what": "the parties"})
        board({"kind": "stopping"})
        board({"kind": "left", "party": 0, "epoch": 1, "worker": 2, "how": "gone"})
    assert curves(tmp_path) == {}


def test_a_board_does_without_torch_and_leaves_it_importable(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from mdl.board import Board\n"
        f"with Board(Path({str(tmp_path)!r}), print): assert 'torch' not in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
        "import importlib.util; assert importlib.util.find_spec('torch')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)  # noqa: S603 - a script of our own


def test_opinions_are_curves_of_each_worker_that_is_told_any(tmp_path: Path) -> None:
    event = {"kind": "trained", "party": 1, "epoch": 2, "learnt_from": 3}
    with Board(tmp_path, pytest.fail) as board:
        board({**event, "opinions": 4, "opinions_right": 0.5})
        board({**event, "party": 2, "opinions": 0, "opinions_right": None})
    assert curves(tmp_path) == {
        "opinions/worker-1-known": [(2, 4.0)],
        "opinions/worker-1-right": [(2, 0.5)],
        "opinions/worker-1-learnt-from": [(2, 3.0)],
        "opinions/worker-2-known": [(2, 0.0)],
        "opinions/worker-2-learnt-from": [(2, 3.0)],
    }


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_curves_that_cannot_be_written_are_warned_of_and_no_more(tmp_path: Path) -> None:
    told: list[str] = []
    board = Board(tmp_path, told.append)
    with files_up_to(10), board:
        board(sent(1, 1, 100))
    assert told == [f"cannot write the curves for TensorBoard into {tmp_path}: File too large"]
