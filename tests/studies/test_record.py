import json
from pathlib import Path

import pytest

from mdl import __version__
from mdl.config import parse
from mdl.errors import MdlError
from mdl.studies.grid import Axis, Grid
from mdl.studies.modes import Real, Simulated
from mdl.studies.points import Point
from mdl.studies.record import note_command

EXPERIMENT = parse({"name": "small", "workers": 3, "epochs": 2, "system": {"type": "fedavg"}})


def note(folder: Path, seed: int, *, simulated: bool = False) -> None:
    note_command(
        folder,
        [Point(f"seed-{seed}", EXPERIMENT, {"seed": seed})],
        source=Grid(Path("small.toml"), ["epochs=2"], [Axis("seed", [str(seed)])]),
        mode=Simulated() if simulated else Real(),
        jobs=2,
    )


def test_every_command_is_on_record_and_points_add_up(tmp_path: Path) -> None:
    note(tmp_path / "study", 1)
    note(tmp_path / "study", 2, simulated=True)
    record = json.loads((tmp_path / "study" / "study.json").read_text())
    assert record["study"] == "study"
    assert record["points"] == {"seed-1": {"seed": 1}, "seed-2": {"seed": 2}}
    assert [command["mode"]["kind"] for command in record["commands"]] == ["real", "simulated"]
    first = record["commands"][0]
    assert first["command"] == "sweep"
    assert (first["file"], first["set"], first["grid"]) == ("small.toml", ["epochs=2"], {"seed": ["1"]})
    assert first["environment"]["mdl"] == __version__
    assert first["environment"]["cores"] > 0


def test_a_record_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "study").touch()
    with pytest.raises(MdlError, match="cannot write into the study's folder"):
        note(tmp_path / "study", 1)
