"""Schemes side by side: rows, ratios, refusals, and what an interruption leaves."""

import json
from dataclasses import replace

import pytest

from mdl.bench import cases, schemes
from mdl.bench.cases import CASES, FLOAT32, NAMES, PRINTED, PRINTED_SECURE, Case, chosen, distinct
from mdl.bench.schemes import Found, Refused, Row, Size, measure_all, measure_case
from mdl.bench.sheets import of_schemes
from mdl.errors import ConfigError

SIZE = Size(parameters=1_024, workers=5, threshold=3, runs=1)
BY_NAME = {case.name: case for case in CASES}
LIGHT = ("prss", "rlwe", "pairwise", "plain", FLOAT32)


@pytest.fixture(scope="module")
def found() -> Found:
    return measure_all(LIGHT, SIZE, lambda _: None)


def test_rows_come_in_the_tables_order_and_all_are_there(found: Found) -> None:
    assert [row.name for row in found.rows] == list(LIGHT)
    assert found.complete
    assert not found.refused


def test_all_parties_are_members_openers_and_the_manager(found: Found) -> None:
    for row in found.rows:
        openers = 3 if row.share else 0
        expected = 3 * row.encrypt + openers * row.share + row.manager
        assert row.all_parties == pytest.approx(expected)
        assert row.all_parties > 0


@pytest.mark.parametrize(
    ("name", "up", "down"),
    [
        # A word, a salt of 8 bytes and a share of 4; the salts of the two others, and a value.
        ("prss", 4 + 8 + 4, 2 * 8 + 4),
        # A salt and a share of 2,048 coefficients of two bytes for the whole block.
        ("rlwe", 4 + (8 + 4_096) / 1_024, 2 * 8 / 1_024 + 4),
        ("pairwise", 4, 4),
        ("plain", 4, 4),
        (FLOAT32, 4, 4),
    ],
)
def test_bytes_are_those_of_the_rows_on_the_wire(found: Found, name: str, up: float, down: float) -> None:
    (row,) = [row for row in found.rows if row.name == name]
    assert (row.up, row.down) == (up, down)


def test_ratios_refer_to_the_printed_protocol_and_to_floats() -> None:
    def row(name: str, cost: float) -> Row:
        return Row(name, 1, 1, 0.0, 0.0, cost, cost, 0.0, 4.0, 4.0, 128, "", "")

    rows = [row(PRINTED, 200.0), row(PRINTED_SECURE, 9_000.0), row("rlwe", 0.5), row(FLOAT32, 0.25)]
    found = Found(SIZE, rows, [], complete=True)
    written = found.to_json()["rows"][2]
    assert written["times_faster_than_printed_256"] == 400
    assert written["times_faster_than_printed_3072"] == 18_000
    assert written["times_faster_than_float32"] == 0.5
    assert replace(found, rows=rows[2:]).to_json()["rows"][0]["times_faster_than_printed_256"] is None


def test_the_file_says_what_was_measured(found: Found) -> None:
    written = json.loads(json.dumps(found.to_json()))
    assert {
        "parameters",
        "workers",
        "threshold",
        "runs",
        "complete",
        "rows",
        "refused",
        "same",
        "unit",
    } == set(written)
    steps = {"encrypt", "share", "manager", "all_parties", "first_call", "up", "down"}
    assert all(steps <= set(row) and all(row[step] >= 0 for step in steps) for row in written["rows"])


def test_the_tables_name_every_scheme_and_what_protects(found: Found) -> None:
    costs, protection = of_schemes(found)
    for name in LIGHT:
        assert f"| {name} |" in costs.markdown()
        assert f"| {name} |" in protection.markdown()
    assert "any 3 of 5" in protection.markdown()
    assert "the manager reads all" in protection.markdown()


def test_a_scheme_that_does_not_fit_says_why_and_the_others_are_measured() -> None:
    size = replace(SIZE, parameters=64, workers=30, threshold=15)
    found = measure_all(("prss", "plain"), size, lambda _: None)
    assert [row.name for row in found.rows] == ["plain"]
    (refused,) = found.refused
    assert refused.name == "prss"
    assert 'use scheme.type = "rlwe"' in refused.reasons[0]
    assert 'use scheme.type = "rlwe"' in of_schemes(found)[-1].markdown()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_is_possible_at_the_size_that_is_measured_by_default(case: Case) -> None:
    wanted = cases.requirements(case, parameters=case.parameters_of(140_106), workers=8, threshold=4)
    assert case.settings.problems(wanted) == []


def test_a_sample_is_measured_where_steps_take_long() -> None:
    case = replace(BY_NAME["plain"], block=1, sample=10)
    row = measure_case(case, SIZE)
    assert isinstance(row, Row)
    assert row.measured == 10


def test_an_interruption_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(case: Case, size: Size) -> Row | Refused:
        if case.name == "plain":
            raise KeyboardInterrupt
        return measure_case(case, size)

    monkeypatch.setattr(schemes, "measure_case", interrupted)
    begun: list[str] = []
    found = measure_all(("pairwise", "plain", FLOAT32), SIZE, begun.append)
    assert [row.name for row in found.rows] == ["pairwise"]
    assert begun == ["pairwise", "plain"]
    assert not found.complete
    assert "Broken off" in of_schemes(found)[0].markdown()


def test_names_are_chosen_by_their_beginning() -> None:
    assert chosen([], "x") == list(NAMES)
    assert chosen(["rl", "plai"], "x") == ["rlwe-16k", "rlwe-32k", "rlwe", "plain"]
    with pytest.raises(ConfigError, match="did you mean rlwe"):
        chosen(["rwle"], "x")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_stands_for_itself_alone(name: str) -> None:
    assert chosen([name], "x") == [name]


def test_beginnings_and_names_go_together_in_the_tables_order() -> None:
    assert chosen(["rlwe", "prss", "elgamal-naive"], "x") == [PRINTED, PRINTED_SECURE, "prss", "rlwe"]


@pytest.mark.parametrize(
    ("names", "parameters", "same"),
    [
        (["rlwe-16k", "rlwe-32k", "rlwe"], 40_000, {}),
        (["rlwe-16k", "rlwe-32k", "rlwe"], 20_000, {"rlwe-32k": "rlwe"}),
        (["rlwe-16k", "rlwe-32k", "rlwe"], 1_000, {"rlwe-16k": "rlwe", "rlwe-32k": "rlwe"}),
        (["rlwe-16k", "rlwe-32k"], 1_000, {"rlwe-32k": "rlwe-16k"}),
        (["rlwe-32k"], 1_000, {}),
        (["rlwe", "pairwise", "plain"], 1_000, {}),
        (["prss", "prss-drawn-sets"], 1, {}),
        (["elgamal-256", "elgamal-256-grid"], 1, {}),
    ],
)
def test_a_row_is_left_out_where_a_small_model_makes_it_another(
    names: list[str], parameters: int, same: dict[str, str]
) -> None:
    cases = [BY_NAME[name] for name in names]
    assert distinct(cases, parameters) == ([BY_NAME[name] for name in names if name not in same], same)


def test_what_is_left_out_is_said() -> None:
    found = measure_all(("rlwe-16k", "rlwe"), SIZE, lambda _: None)
    assert [row.name for row in found.rows] == ["rlwe"]
    assert found.to_json()["same"] == {"rlwe-16k": "rlwe"}
    assert "rlwe-16k (as rlwe)." in of_schemes(found)[0].markdown()


def test_ratios_without_their_row_are_no_column_and_the_row_is_named(found: Found) -> None:
    page = of_schemes(found)[0].markdown()
    assert "this ÷ float32" in page
    assert "printed" not in page.splitlines()[2]
    assert f"need the rows --only {PRINTED} --only {PRINTED_SECURE}." in page


def test_one_of_a_kind_is_in_the_singular() -> None:
    found = Found(Size(1, 1, 1, 1), [], [], complete=True)
    page = of_schemes(found)[0].markdown()
    assert "n = 1, m = 1, 1 parameter\n" in page
    assert "1 member, 1 opener (" in page
