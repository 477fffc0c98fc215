"""SSDDL with real processes: members are killed while they train, after their shares, after their masks."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from mdl.folder import FileJournal
from mdl.party import MANAGER
from tests.end_to_end.runs import Ended, Run, all_gone, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

EXPERIMENT = """
name = "small"
seed = 3
workers = 6
epochs = 3

[system]
type = "secret-shared"
mode = "{mode}"

[learning]
dataset = "digits"
model = "digits-mlp"
split = "disjoint"
learning_rate = 0.1
batch = 32
train_limit = 200

[delay]
mean_seconds = [0.1, 0.1, 0.1, 0.1, 0.1, 1.2]
deviation_seconds = 0.0
"""

ALL = {1, 2, 3, 4, 5, 6}
QUICK, SLOW = 1, 6
"""One whose part is done a second before the last one's, for whom the others wait."""


async def begun(tmp_path: Path, mode: str) -> Run:
    file = tmp_path / "small.toml"
    file.write_text(EXPERIMENT.format(mode=mode))
    return await start(tmp_path / "runs", str(file))


async def killed_in_epoch_2(run: Run, *victims: int) -> Ended:
    """Kill workers: the slow one while it trains, others when what they have to send is out."""
    await run.until("epoch", epoch=1)
    for victim in victims:
        if victim != SLOW:
            await run.until("trained", epoch=2, party=victim)
    await asyncio.sleep(0.3)
    for victim in victims:
        os.kill(await run.worker_pid(victim), signal.SIGKILL)
    ended = await run.end()
    assert await all_gone(ended.pids) == set()
    return ended


def of_epochs(ended: Ended) -> dict[int, dict[str, Any]]:
    return {line["epoch"]: line for line in ended.metrics if line["kind"] == "epoch"}


def missed(ended: Ended) -> list[bool]:
    return [bool(line["missed"]) for _, line in sorted(of_epochs(ended).items())]


def summed(ended: Ended, epoch: int) -> set[int]:
    """Whose updates were to be summed in an epoch, by the server's record."""
    kept = FileJournal(ended.folder, MANAGER).read("model", epoch)
    assert kept is not None
    return set(kept["previous"].tolist())


async def test_masks_of_one_that_is_killed_while_it_trains_do_not_cancel_and_its_epoch_alone_is_missed(
    tmp_path: Path,
) -> None:
    ended = await killed_in_epoch_2(await begun(tmp_path, "prng"), SLOW)
    assert ended.code == 0, ended.output
    assert missed(ended) == [False, True, False]
    assert len(summed(ended, 3)) == 4, "five would differ by one from the six who had masked"
    assert SLOW not in summed(ended, 3)
    assert [left["worker"] for left in ended.summary["left"]] == [SLOW]


async def test_one_that_is_killed_after_its_masked_update_is_in_the_sum(tmp_path: Path) -> None:
    ended = await killed_in_epoch_2(await begun(tmp_path, "prng"), QUICK)
    assert ended.code == 0, ended.output
    assert missed(ended) == [False, False, False]
    assert summed(ended, 2) == ALL
    assert len(summed(ended, 3)) == 4


async def test_without_the_shares_of_one_that_is_killed_while_it_trains_the_others_are_summed(
    tmp_path: Path,
) -> None:
    ended = await killed_in_epoch_2(await begun(tmp_path, "shamir"), SLOW)
    assert ended.code == 0, ended.output
    assert missed(ended) == [False, False, False]
    assert len(summed(ended, 2)) == 4, "five would differ by one from the six before"
    assert SLOW not in summed(ended, 2) | summed(ended, 3)


async def test_two_that_are_killed_after_their_shares_are_in_the_sum(tmp_path: Path) -> None:
    ended = await killed_in_epoch_2(await begun(tmp_path, "shamir"), QUICK, 2)
    assert ended.code == 0, ended.output
    assert missed(ended) == [False, False, False]
    assert summed(ended, 2) == ALL
    assert summed(ended, 3) == ALL - {QUICK, 2}


async def test_with_one_more_the_epoch_is_missed_and_the_run_ends_by_name(tmp_path: Path) -> None:
    ended = await killed_in_epoch_2(await begun(tmp_path, "shamir"), QUICK, 2, 3)
    assert ended.code == 1
    assert missed(ended) == [False, True]
    assert "TooFewWorkers" in ended.summary["reason"]
    assert "3 of 6 workers can take part" in ended.summary["reason"]
