"""Draw the messages of one epoch of each variant of ∝MDL from a transcript, as text that is a diagram too.

Three workers train in the simulator, in the toy group `insecure64`. Each kind of message in each direction
is a line, where it was first sent; the pages in docs/systems/ hold the output, and a test compares the two.

    python scripts/diagrams.py
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mdl.party import MANAGER, Message, PartyId
from mdl.schemes.settings import ElGamalSettings
from mdl.simulator import Sent, simulate
from mdl.system import Metrics, Training
from mdl.systems import Coordinated, Dynamic
from mdl.vectors import Floats

WORKERS = 3
PARAMETERS = 5

# Few fraction bits and a small range keep the decoding table of the toy group small.
SETTINGS: dict[str, Any] = {
    "threshold": WORKERS,
    "scheme": ElGamalSettings(group="insecure64"),
    "insecure": True,
    "range": 4.0,
    "fraction_bits": 8,
}
PAGES: Mapping[str, Sequence[Coordinated | Dynamic]] = {
    "coordinated.md": [Coordinated(**SETTINGS)],
    "dynamic.md": [Dynamic(**SETTINGS), Dynamic(**SETTINGS, mode="paper")],
}
"""The pages of docs/systems/, and the systems that each draws, in this order."""


class Stroller:
    """A learner that takes the same step each epoch: the messages depend on nothing it learns."""

    learning_rate = 1.0

    def __init__(self, party: PartyId) -> None:
        self._step = np.float32(party / 8)
        self._values = np.zeros(PARAMETERS, np.float32)

    def parameters(self) -> Floats:
        """Give the parameters, shape (PARAMETERS,)."""
        return self._values.copy()

    def load(self, parameters: Floats) -> None:
        """Replace them."""
        self._values = parameters.astype(np.float32)

    def train(self, epoch: int) -> Training:
        """Take the step."""
        del epoch
        self._values = (self._values - self._step).astype(np.float32)
        return Training(self._values.copy(), loss=0.0, examples=1)

    def evaluate(self) -> Metrics:
        """Score nothing."""
        return Metrics(loss=0.0, accuracy=0.0)


def diagrams(page: str) -> Sequence[str]:
    """Run one epoch of each system that a page draws, and draw it."""
    # They end their epochs one after another: what comes first is then the same under every schedule.
    return [
        "\n".join(
            draw(simulate(system, Stroller, workers=WORKERS, delays=lambda party: [float(party)]).transcript)
        )
        for system in PAGES[page]
    ]


def draw(transcript: Sequence[Sent]) -> Iterator[str]:
    """Draw a transcript between a manager and workers, a line at a time."""
    workers = sorted({party for sent in transcript for party in (sent.sender, sent.receiver)} - {MANAGER})
    yield "sequenceDiagram"
    yield "    participant M as manager"
    yield f"    participant W as workers {', '.join(map(str, workers))}"
    groups: dict[tuple[str, bool], list[Sent]] = {}
    for sent in transcript:
        groups.setdefault((type(sent.message).__name__, sent.sender == MANAGER), []).append(sent)
    for (kind, down), group in groups.items():
        arrow = "M->>W" if down else "W->>M"
        yield f"    {arrow}: {kind}({_fields(group[0].message)}), {_count(group)}"


def _fields(message: Message) -> str:
    return ", ".join(message.__struct_fields__)


def _count(group: Sequence[Sent]) -> str:
    """Say how many there are, how large, and whether all are the same message."""
    size = " or ".join(map(str, sorted({sent.size_bytes for sent in group})))
    same = "the same " if all(sent.message == group[0].message for sent in group) else ""
    return f"{same}{len(group)} × {size} bytes"


if __name__ == "__main__":
    for page in PAGES:
        print(f"docs/systems/{page}", *diagrams(page), sep="\n\n", end="\n\n")
