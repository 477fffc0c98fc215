"""A manager whose bytes are not what they should be: its workers refuse them, and say whose they are."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import ProtocolError
from mdl.party import MANAGER, Message, PartyId
from mdl.schemes.settings import PlainSettings
from mdl.simulator import simulate
from mdl.simulator.party import SimulatedParty
from mdl.system import System
from mdl.systems.coordinated import CallbackDownload, CallbackUpload, Coordinated, Download, EpochBegins
from mdl.systems.dynamic import Dynamic, Values, Welcome
from tests.tiny import tiny

COORDINATED = Coordinated(threshold=3, scheme=PlainSettings(), insecure=True, selection="balanced")
DYNAMIC = Dynamic(threshold=3, scheme=PlainSettings(), insecure=True)

BLOCKS = 32
"""A bitmap of so many has four bytes; numbers have four each; a set of four workers has one."""

FITS_NOWHERE = st.binary(max_size=41).filter(lambda data: not data or (len(data) % 4 and len(data) > 1))


def refusal(system: System, kind: type[Message], change: Mapping[str, Any]) -> Exception | None:
    """What worker 1 fails with where the manager's messages of a kind to it are changed."""
    send = SimulatedParty.send

    async def changed(self: SimulatedParty, to: PartyId, message: Message) -> None:
        theirs = to == 1 and isinstance(message, kind)
        await send(self, to, msgspec.structs.replace(message, **change) if theirs else message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatedParty, "send", changed)
        simulation = simulate(system, tiny(BLOCKS), workers=4, epochs=3, delays=lambda party: [float(party)])
    return simulation.errors.get(1)


@pytest.mark.parametrize(
    ("system", "kind", "part"),
    [
        (COORDINATED, EpochBegins, "present"),
        (COORDINATED, CallbackUpload, "blocks"),
        (COORDINATED, CallbackDownload, "updated"),
        (COORDINATED, Download, "values"),
        (DYNAMIC, Welcome, "versions"),
        (DYNAMIC, Welcome, "seated"),
        (DYNAMIC, Values, "blocks"),
        (DYNAMIC, Values, "values"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", type(value).__name__),
)
@settings(deadline=None, max_examples=15)
@given(data=FITS_NOWHERE)
def test_bytes_that_fit_nowhere_are_blamed_on_the_manager(
    system: System, kind: type[Message], part: str, data: bytes
) -> None:
    error = refusal(system, kind, {part: data})
    assert isinstance(error, ProtocolError)
    assert error.culprits == (MANAGER,)


@given(present=st.integers(0, 7))
def test_an_epoch_that_begins_without_the_worker_that_is_told_so_is_blamed_on_the_manager(
    present: int,
) -> None:
    error = refusal(COORDINATED, EpochBegins, {"present": bytes([2 * present])})
    assert isinstance(error, ProtocolError)
    assert error.culprits == (MANAGER,)
