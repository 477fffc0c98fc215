"""How the cost grows: the points that are measured, and what an interruption leaves."""

import json
from collections import Counter

import pytest

from mdl.bench import scaling
from mdl.bench.plots import of_growth as draw
from mdl.bench.scaling import Growth, measure_growth
from mdl.bench.schemes import Size
from mdl.bench.sheets import of_growth

SIZE = Size(parameters=600, workers=6, threshold=3, runs=1)


@pytest.fixture(scope="module")
def growth() -> Growth:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scaling, "WORKERS", (4, 16))
        patch.setattr(scaling, "PARAMETERS", (500, 1_000))
        return measure_growth(SIZE, lambda _: None)


def test_each_way_to_share_keys_is_measured_where_it_can_be_used(growth: Growth) -> None:
    by_workers = [(point.keys, point.workers, point.threshold) for point in growth.by_workers]
    assert by_workers == [("shamir", 4, 2), ("prss", 4, 2), ("shamir", 16, 8)]
    assert Counter(point.parameters for point in growth.by_parameters) == {500: 2, 1_000: 2}
    assert {(point.workers, point.threshold) for point in growth.by_parameters} == {(6, 3)}
    (largest,) = growth.largest
    assert (largest.workers, largest.threshold, largest.parameters) == (16, 8, 1_000)


def test_a_worker_encrypts_and_answers(growth: Growth) -> None:
    for point in growth.by_workers:
        assert point.worker == point.encrypt + point.share > 0
        assert point.up > 4 * point.parameters
        assert point.peak > point.threshold * 4 * point.parameters


def test_it_is_shown_and_drawn(growth: Growth) -> None:
    shown = [sheet.markdown() for sheet in of_growth(growth)]
    assert [sheet.count("\n| shamir |") for sheet in shown] == [2, 2, 1]
    assert json.loads(json.dumps(growth.to_json()))["by_workers"][0]["workers"] == 4
    picture = draw(growth)
    assert picture.png.startswith(b"\x89PNG")
    assert "PRSS" in picture.svg


def test_an_interruption_keeps_the_points_there_are() -> None:
    def begins(what: str) -> None:
        if "n = 8" in what:
            raise KeyboardInterrupt

    growth = measure_growth(SIZE, begins)
    assert {point.workers for point in growth.by_workers} == {4}
    assert not growth.complete
    assert "Broken off" in of_growth(growth)[-1].markdown()
