"""Parties started one by one, each in a process of its own, come to what the launcher comes to."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.runs import command, experiment, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

SMALLER = ("--set", "workers=3", "--set", "system.spare=0")


async def _mdl(*arguments: str) -> str:
    """Run a command to its end; give its output."""
    process = await command(*arguments, *SMALLER)
    output, errors = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == 0, output.decode() + errors.decode()
    return output.decode()


def _weights(output: str) -> Any:
    """The fingerprint in a node's last line."""
    last = json.loads(output.splitlines()[-1])
    assert last["kind"] == "finished"
    return last["weights"]


async def test_nodes_started_by_hand_give_the_weights_of_a_run(tmp_path: Path) -> None:
    file = experiment(tmp_path, epochs=2)
    keys, sockets, out = tmp_path / "keys", tmp_path / "sockets", tmp_path / "out"
    sockets.mkdir(mode=0o700)
    await _mdl("keys", "deal", file, "--out", str(keys))

    async def node(party: int) -> Any:
        key = str(keys / f"party-{party}.key")
        places = ("--keys", key, "--sockets", str(sockets), "--out", str(out))
        return _weights(await _mdl("node", file, "--party", str(party), *places))

    found = await asyncio.gather(*map(node, range(4)))
    run = await (await start(tmp_path / "runs", file, *SMALLER)).end()
    assert run.code == 0, run.output
    expected = run.summary["weights"]
    assert found == [expected["global"], *expected["workers"].values()]
    assert {f"metrics-{party}.jsonl" for party in range(4)} <= {path.name for path in out.iterdir()}
