"""Files of models: the format's, and in one order."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load, save

from mdl.learning.exports import file_of

METADATA = {"format": "pt", "experiment": "né", "epoch": "12", "accuracy": "0.5", "more": "", "last": '"'}


def test_it_is_the_librarys_file_but_for_the_order() -> None:
    tensors = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(5, dtype=torch.int8)}
    found = file_of(tensors, METADATA)
    loaded = load(found)
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
    header = json.loads(found[8 : 8 + int.from_bytes(found[:8], "little")])
    assert list(header["__metadata__"].items()) == list(METADATA.items())
    theirs = save(tensors, METADATA)
    written = json.loads(theirs[8 : 8 + int.from_bytes(theirs[:8], "little")])
    assert header == written
    assert int.from_bytes(found[:8], "little") % 8 == 0


@pytest.mark.timeout(60)
def test_every_process_writes_the_same_bytes() -> None:
    program = (
        "import sys, torch; from mdl.learning.exports import file_of; "
        f"sys.stdout.buffer.write(file_of({{'weight': torch.ones(3)}}, {METADATA!r}))"
    )
    here = file_of({"weight": torch.ones(3)}, METADATA)
    for _ in range(2):
        there = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)  # noqa: S603
        assert there.stdout == here
