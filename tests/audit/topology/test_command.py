"""`mdl audit topology` as a person meets it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mdl.audit.topology import command
from mdl.audit.topology.study import Line, study
from mdl.cli import main
from tests.audit.inversion.digits import QUICKSTART
from tests.test_cli import Ended

RING = str(QUICKSTART.with_name("dmhe-ring.toml"))
STAR = '{type="edges", edges=[[1, 2], [1, 3], [1, 4], [1, 5], [1, 6], [1, 7], [1, 8]]}'

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setenv("NO_COLOR", "1")


def said(text: str) -> str:
    return " ".join(text.split())


def test_help_says_what_it_does_with_examples(capsys: Capture) -> None:
    ended = Ended(capsys, "audit", "topology", "--help")
    assert ended.code == 0
    assert "mdl audit topology configs/dmhe-ring.toml --coalition 4 --epochs 3 --out audits" in said(
        ended.out
    )
    assert "Exit code 1: a single node" in ended.out


def test_the_ring_is_told_of_with_counts_an_example_and_how_it_is_done(capsys: Capture) -> None:
    ended = Ended(capsys, "audit", "topology", RING)
    assert ended.code == 0
    assert "8 nodes, 8 links, 2 neighbours each; one epoch" in ended.out
    assert "8/28" in ended.out
    assert "1 and 2 expose 3 and 8" in ended.out
    assert "3's parameters are 256/85 times 2's average" in ended.out
    assert "Not exposed" not in ended.out


def test_the_complete_graph_withstands_all_that_were_judged(capsys: Capture) -> None:
    ended = Ended(capsys, "audit", "topology", RING, "--set", "system.graph.type=complete")
    assert ended.code == 0
    assert "No coalition of up to 6 nodes learns the parameters of another." in said(ended.out)
    assert "0/56" in ended.out


def test_a_single_node_that_is_enough_ends_with_code_1(capsys: Capture) -> None:
    changes = ["--set", f"system.graph={STAR}", "--set", "system.insecure=true"]
    ended = Ended(capsys, "audit", "topology", RING, *changes)
    assert ended.code == 1
    assert "A SINGLE NODE IS ENOUGH" in ended.out
    assert "7 of 8 do, such as 2 those of 1." in said(ended.out)
    assert "2 exposes 1" in said(ended.out)
    assert "Exposed by some coalition of up to 1 that was judged: node 1; the others by none." in said(
        ended.out
    )


def test_what_a_threshold_costs_is_said(capsys: Capture) -> None:
    changes = ["--set", "system.graph.type=group", "--set", "system.threshold=5"]
    ended = Ended(capsys, "audit", "topology", RING, *changes)
    assert ended.code == 0
    assert "8 nodes in one group" in ended.out
    assert "35/56" in ended.out
    assert "With threshold = 5, so many of a neighbourhood have all its keys together." in said(ended.out)


def test_what_is_left_after_losses_is_said_to_be_that(capsys: Capture, tmp_path: Path) -> None:
    changes = ["--set", "system.graph.type=complete", "--set", "system.threshold=5"]
    more = ["--lost", "7", "--lost", "4", "--coalition", "2", "--out", str(tmp_path)]
    ended = Ended(capsys, "audit", "topology", RING, *changes, *more)
    assert ended.code == 0
    assert "6 nodes, 15 links, 5 neighbours each, without 4 and 7; one epoch" in said(ended.out)
    assert "epochs that begin without nodes 4 and 7" in said(ended.out)
    kept: dict[str, Any] = json.loads((tmp_path / "audit-topology.json").read_text())
    assert (kept["nodes"], kept["lost"]) == (6, [4, 7])


def test_several_epochs_are_said_to_be_a_bound(capsys: Capture) -> None:
    ended = Ended(capsys, "audit", "topology", RING, "--epochs", "3")
    assert "24/28" in ended.out
    assert "3 epochs of models that stand still" in said(ended.out)
    assert "2's average of epoch 1" in said(ended.out)
    assert "the most that sums can tell" in said(ended.out)


def test_what_is_too_much_is_drawn_and_said_not_to_be_searched(capsys: Capture) -> None:
    graph = '{type="random", probability=0.5}'
    changes = ["--set", "workers=40", "--set", f"system.graph={graph}", "--coalition", "5"]
    ended = Ended(capsys, "audit", "topology", RING, *changes)
    assert "(of 658,008)" in ended.out
    assert "NOT SEARCHED: of size 5 there are too many coalitions." in said(ended.out)
    assert "No coalition of up to 4 nodes learns the parameters of another." in said(ended.out)


def test_the_record_has_all_of_it(capsys: Capture, tmp_path: Path) -> None:
    ended = Ended(capsys, "audit", "topology", RING, "--out", str(tmp_path / "a"))
    assert ended.code == 0
    kept: dict[str, Any] = json.loads((tmp_path / "a" / "audit-topology.json").read_text())
    assert (kept["nodes"], len(kept["edges"]), kept["safe_up_to"], kept["smallest_found"]) == (8, 8, 1, 2)
    assert kept["complete"]
    assert kept["recipe"] == {"victim": 3, "factors": [{"node": 2, "epoch": 1, "factor": "256/85"}]}
    one, two = kept["sizes"]
    assert one["fewest_honest_in_a_sum"] == {"at_least": 2, "at_most": 2}
    assert (two["exposing"], two["total"], two["searched"]) == (8, 28, "all")
    assert two["example"] == {"coalition": [1, 2], "exposed": [3, 8]}
    assert sum(two["victims"].values()) == 16


def test_ctrl_c_keeps_what_was_judged(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken_off(*arguments: Any, **options: Any) -> Iterator[Line]:
        yield next(study(*arguments, **options))
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "study", broken_off)
    with pytest.raises(SystemExit) as caught:
        main(["audit", "topology", RING, "--out", str(tmp_path)])
    assert caught.value.code == 130
    assert "0/8" in capsys.readouterr().out
    assert not json.loads((tmp_path / "audit-topology.json").read_text())["complete"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([RING, "--set", "system.mode=plain"], "shows every node the parameters of its neighbours"),
        ([str(QUICKSTART)], "'coordinated' has no graph of neighbours"),
        ([str(QUICKSTART)], "mdl audit collusion tries which gradients"),
        ([str(QUICKSTART.with_name("mpc-quickstart.toml"))], "parties learn no gradient"),
        ([RING, "--out", "/dev/null/x"], "--out: cannot write into /dev/null/x: Not a directory"),
        ([RING, "--out", "/proc"], "--out: cannot write into /proc"),
        ([RING, "--lost", "4"], "without system.threshold the run ends when a node is lost"),
        ([RING, "--coalition", "8"], "of 8 nodes 1 to 7 can collude"),
    ],
)
def test_what_cannot_be_audited_is_said_with_the_file(
    capsys: Capture, arguments: list[str], why: str
) -> None:
    ended = Ended(capsys, "audit", "topology", *arguments)
    assert ended.code == 2
    assert why in said(ended.err)
    assert ".toml" in ended.err
