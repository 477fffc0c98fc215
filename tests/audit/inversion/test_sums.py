"""The manager's sums, derived from what it received: exactly those of what workers contributed."""

import numpy as np
import pytest

from mdl.audit.inversion.sums import opened_sums
from mdl.protocols import sets as active
from mdl.vectors import Blocks
from tests.audit.inversion.digits import experiment, staged

SCHEMES = {
    "prss": ("system.scheme.type=prss", "system.block=10"),
    "pairwise": ("system.scheme.type=pairwise", "system.block=100"),
    "rlwe": ("system.scheme.type=rlwe", "system.block=2410"),
    "plain": ("system.scheme.type=plain",),
    "everybody": ("system.visibility=1.0", "system.block=100"),
    "dynamic": ("system.type=dynamic", "system.block=10"),
    "noise": ("system.privacy.type=laplace", "system.privacy.epsilon=1", "system.block=10"),
    "elgamal": (
        "system.insecure=true",
        'system.scheme={type="elgamal", group="insecure64"}',
        "system.block=100",
    ),
}


@pytest.mark.parametrize("name", SCHEMES)
def test_they_are_the_sums_of_what_the_members_contributed(name: str) -> None:
    run = staged(*SCHEMES[name])
    system = experiment(*SCHEMES[name]).system
    blocks = Blocks(len(run.start), system.block)  # type: ignore[union-attr]
    sums = opened_sums(system, run.transcript, workers=8, blocks=blocks, epoch=1)  # type: ignore[arg-type]
    total = np.zeros_like(sums.values)
    for worker in range(1, 9):
        total += np.where(active.contains(sums.sets, worker)[:, None], run.contributed[worker, 1], 0)
    assert (sums.sets != 0).any()
    assert np.array_equal(total, sums.values)
