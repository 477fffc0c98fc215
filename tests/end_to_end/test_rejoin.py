"""A worker that is killed and started again takes part again: real processes, started by hand."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mdl.party import MANAGER
from tests.end_to_end.runs import all_gone, command, events, experiment, family

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

EPOCHS = 16
ONE_SECOND_EACH = "[delay]\nmean_seconds = [1.0, 1.0, 1.0, 1.0]\ndeviation_seconds = 0.0"
VICTIM = 2

MESH = """
name = "mesh"
workers = 7
epochs = {epochs}

[system]
type = "secret-shared"
mode = "shamir"

[learning]
model = "digits-mlp"
split = "disjoint"
train_limit = 200

[delay]
mean_seconds = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
deviation_seconds = 0.0
"""


@dataclass
class Hall:
    """Where the parties of a run by hand meet, and what they left."""

    file: str
    place: Path
    settings: tuple[str, ...]

    async def mdl(self, *arguments: str) -> asyncio.subprocess.Process:
        return await command(*arguments, *self.settings, stdout=asyncio.subprocess.DEVNULL)

    async def node(self, party: int, *more: str) -> asyncio.subprocess.Process:
        key = str(self.place / "keys" / f"party-{party}.key")
        places = ("--keys", key, "--sockets", str(self.place / "sockets"), "--out", str(self.place / "out"))
        return await self.mdl("node", self.file, "--party", str(party), *places, *more)

    def metrics(self, party: int) -> list[dict[str, Any]]:
        return events(self.place / "out" / f"metrics-{party}.jsonl")

    def updated(self, party: int) -> dict[int, int]:
        """How many blocks a worker was handed, by epoch."""
        return {
            event["epoch"]: event["updated"] for event in self.metrics(party) if event["kind"] == "updated"
        }


async def hall(place: Path, *settings: str) -> Hall:
    """Make the folder of the sockets, and deal keys."""
    (place / "sockets").mkdir(mode=0o700)
    here = Hall(experiment(place, epochs=EPOCHS, tables=ONE_SECOND_EACH), place, settings)
    dealt = await here.mdl("keys", "deal", here.file, "--out", str(place / "keys"))
    assert await dealt.wait() == 0
    return here


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - another process announces nothing here
        await asyncio.sleep(0.05)


async def ended(node: asyncio.subprocess.Process) -> None:
    _, errors = await asyncio.wait_for(node.communicate(), 120)
    assert node.returncode == 0, errors.decode()


@pytest.mark.parametrize("scheme", [pytest.param("pairwise", marks=pytest.mark.exhaustive), "elgamal"])
async def test_a_killed_worker_comes_back_and_takes_part_again(tmp_path: Path, scheme: str) -> None:
    here = await hall(tmp_path, "--set", f"system.scheme.type={scheme}")
    nodes = {party: await here.node(party) for party in range(5)}
    await until(lambda: 2 in here.updated(VICTIM))
    processes = family(nodes[VICTIM].pid)
    nodes[VICTIM].send_signal(signal.SIGKILL)
    await nodes[VICTIM].wait()
    before = here.updated(VICTIM)
    nodes[VICTIM] = await here.node(VICTIM, "--rejoin")
    for node in nodes.values():
        await ended(node)
    assert await all_gone(processes) == set()
    later = {epoch: count for epoch, count in here.updated(VICTIM).items() if epoch not in before}
    assert later.pop(min(later)) == 0, "its first epoch it sits out"
    assert later
    assert all(later.values()), "and then it takes part"
    present = {event["epoch"]: event["present"] for event in here.metrics(0) if event["kind"] == "epoch"}
    assert set(present) == set(range(1, EPOCHS + 1))
    assert {present[epoch] for epoch in later} == {4}
    assert min(present.values()) == 3
    finished = [here.metrics(party)[-1] for party in range(5)]
    assert [(event["kind"], event["epochs"]) for event in finished] == [("finished", EPOCHS)] * 5
    seconds = [event["seconds"] for event in here.metrics(VICTIM) if "seconds" in event]
    assert seconds == sorted(seconds)


async def test_at_its_own_pace_it_takes_part_again_at_once(tmp_path: Path) -> None:
    """∝MDL^d: what it contributes it has not contributed before, so there is no epoch to sit out."""
    here = await hall(
        tmp_path, *("--set", "system.type=dynamic", "--set", "epochs=10", "--set", "system.scheme.type=prss")
    )
    nodes = {party: await here.node(party) for party in range(5)}
    await until(lambda: 2 in here.updated(VICTIM))
    nodes[VICTIM].send_signal(signal.SIGKILL)
    await nodes[VICTIM].wait()
    before = max(here.updated(VICTIM))
    nodes[VICTIM] = await here.node(VICTIM, "--rejoin")
    for node in nodes.values():
        await ended(node)
    trained = [event["epoch"] for event in here.metrics(VICTIM) if event["kind"] == "done"]
    assert len(trained) == len(set(trained))
    later = {epoch: count for epoch, count in here.updated(VICTIM).items() if epoch > before}
    assert sum(later.values()) > 0
    assert here.metrics(MANAGER)[-1]["epochs"] == 10


@pytest.mark.exhaustive
async def test_in_a_mesh_it_is_linked_with_everybody_again(tmp_path: Path) -> None:
    """SSDDL: also with those who had called it at first."""
    file = tmp_path / "mesh.toml"
    file.write_text(MESH.format(epochs=EPOCHS))
    (tmp_path / "sockets").mkdir(mode=0o700)
    here = Hall(str(file), tmp_path, ())
    dealt = await here.mdl("keys", "deal", here.file, "--out", str(tmp_path / "keys"))
    assert await dealt.wait() == 0
    nodes = {party: await here.node(party) for party in range(8)}
    await until(lambda: 2 in here.updated(VICTIM))
    nodes[VICTIM].send_signal(signal.SIGKILL)
    await nodes[VICTIM].wait()
    before = max(here.updated(VICTIM))
    nodes[VICTIM] = await here.node(VICTIM, "--rejoin")
    for node in nodes.values():
        await ended(node)
    # Six are left, of whom one stays out: no set may differ by one from the one before. With the one that
    # comes back there are seven, two more than those five.
    assert sum(here.updated(VICTIM)[epoch] > 0 for epoch in here.updated(VICTIM) if epoch > before) >= 2
    missed = [event["epoch"] for event in here.metrics(0) if event["kind"] == "epoch" and event["missed"]]
    assert len(missed) <= 1, "that in which it was killed"
    assert [here.metrics(party)[-1]["kind"] for party in range(8)] == ["finished"] * 8
