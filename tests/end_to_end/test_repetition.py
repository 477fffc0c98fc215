"""The same file with the same seed gives the same metrics and weights, times excluded."""

from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.runs import Ended, experiment, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


def _metrics(ended: Ended) -> list[dict[str, Any]]:
    """What the parties recorded, without times, in an order that does not depend on who was first."""
    records = [{key: value for key, value in event.items() if key != "seconds"} for event in ended.metrics]
    return sorted(records, key=lambda event: (event["party"], event["epoch"], event["kind"], str(event)))


async def _run(out: Path, file: str) -> Ended:
    plain = ("--set", "system.scheme.type=plain", "--set", "alone=true", "--quiet")
    ended = await (await start(out, file, *plain)).end()
    assert ended.code == 0, ended.output
    return ended


async def test_two_runs_of_one_file_differ_in_nothing_but_times(tmp_path: Path) -> None:
    file = experiment(tmp_path, epochs=2)
    one, other = [await _run(tmp_path / name, file) for name in ("one", "other")]
    assert _metrics(one) == _metrics(other)
    assert one.summary["weights"] == other.summary["weights"]
    assert {event["kind"] for event in one.metrics} >= {"trained", "updated", "done", "epoch", "evaluated"}


async def test_a_quiet_run_says_only_how_it_ended(tmp_path: Path) -> None:
    ended = await _run(tmp_path / "runs", experiment(tmp_path, epochs=1))
    lines = ended.output.splitlines()
    assert "small: completed" in ended.output
    assert not any(line.startswith("[") for line in lines), "no progress is shown"
    assert max(len(line) for line in lines if line.startswith("│")) <= 80
    assert list(ended.folder.glob("events.out.tfevents.*"))
    assert ended.summary["started"] <= ended.summary["ended"]
