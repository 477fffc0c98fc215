"""What is laid out for all parties before they start."""

import signal
from multiprocessing import Pipe
from pathlib import Path

import pytest

from mdl.config import parse
from mdl.preparation import lay_out
from tests.full_disk import files_up_to

TABLES = {"name": "any", "workers": 2, "epochs": 1, "system": {"type": "fedavg"}, "learning": {}}


def test_data_that_cannot_be_laid_out_is_told_with_the_place(tmp_path: Path) -> None:
    ours, theirs = Pipe()
    before = signal.getsignal(signal.SIGINT)
    tables = parse(TABLES).model_dump(exclude_none=True)
    try:
        with pytest.raises(SystemExit), files_up_to(1000):
            lay_out(theirs, tables, "", str(tmp_path / "spool"))
    finally:
        signal.signal(signal.SIGINT, before)
    assert (
        ours.recv_bytes().decode().startswith(f"cannot lay the data set out in {tmp_path}/spool: OSError: ")
    )
    ours.close()
    theirs.close()
