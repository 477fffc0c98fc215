"""What an audit says in words, shows and leaves behind."""

import io
import json
import re
from functools import lru_cache
from pathlib import Path

import pytest
from rich.console import Console

from mdl.audit.inversion.findings import Audit, explained, titles
from mdl.audit.inversion.page import render, write
from mdl.audit.inversion.study import mount
from mdl.audit.inversion.tables import rendered
from mdl.audit.inversion.viewing import Point, smaller, sums_of, views
from tests.audit.inversion.digits import dataset, experiment

QUICK = ("analytic", "rows")


@lru_cache
def _audit(*overrides: str, complete: bool = True) -> Audit:
    point = Point(experiment("system.visibility=1.0", "system.block=100", *overrides), dataset(), None, 2)
    attempts = [attempt for view in views(point) for attempt in mount(point, view, QUICK)]
    small = {
        few.experiment.workers: [attempt for view in sums_of(few) for attempt in mount(few, view, QUICK)]
        for few in smaller(point)
    }
    return Audit(point.experiment, dataset(), "at the first parameters", attempts, small, complete)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an audit leaves."""
    folder = tmp_path_factory.mktemp("audit") / "new"
    paths = write(_audit(), folder, date="2026-01-01")
    assert {path.name for path in paths} == {path.name for path in folder.iterdir()}
    return folder


def test_what_is_not_protected_is_said_first_and_plainly() -> None:
    said = explained(_audit())
    assert said[0].startswith("In the clear: of 2 images")
    assert any("NOT PROTECTED: a sum hides whose an image is" in paragraph for paragraph in said)
    assert any(paragraph.startswith("HOLDS: a plain parameter server") for paragraph in said)
    assert any("from the sum of 2" in paragraph for paragraph in said)
    assert any("no protocol that opens sums helps" in paragraph for paragraph in said)


def test_noise_is_named_where_it_is_on() -> None:
    noisy = _audit("system.privacy.type=laplace", "system.privacy.epsilon=0.1")
    said = " ".join(explained(noisy))
    assert "system.privacy is laplace" in said
    assert "NOT PROTECTED" not in said
    assert "No noise is added" in " ".join(explained(_audit()))


@pytest.mark.parametrize(
    ("system", "worker", "coalition"),
    [
        ("coordinated", "a worker", "m - 1 workers"),
        ("secret-shared", "a worker", "a group but one member"),
        ("decentralised", "a node, of its neighbours", "its neighbours but one"),
    ],
)
def test_roles_are_called_what_they_are_in_a_system(system: str, worker: str, coalition: str) -> None:
    called = titles(experiment(f"system.type={system}").system)
    assert worker in called["worker"]
    assert coalition in called["coalition"]


def test_the_table_has_a_line_for_each_role_and_attack() -> None:
    console = Console(width=130, file=io.StringIO(), record=True)
    console.print(rendered(_audit()))
    shown = console.export_text()
    for words in (
        "plain parameter server",
        "a worker, of the others",
        "rows: dense layer, every row",
        "2 of 2",
    ):
        assert words in shown


def test_the_page_stands_alone_and_shows_originals_beside_what_was_recovered(left: Path) -> None:
    page = (left / "audit-inversion.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert page.count("data:image/png;base64,") > 30
    assert "original" in page
    assert "Does not hold" not in page
    assert "Stopped early" not in page


def test_figures_are_left_as_json_without_nan(left: Path) -> None:
    text = (left / "audit-inversion.json").read_text()
    figures = json.loads(text)
    assert "NaN" not in text
    server = next(
        line for line in figures["attacks"] if (line["role"], line["attack"]) == ("server", "analytic")
    )
    assert server["best"] > 25
    assert set(figures["small_sums"]) == {"2", "4"}
    assert all(claim["holds"] for claim in figures["claims"])


def test_what_was_stopped_early_says_so() -> None:
    assert "Stopped early" in render(_audit(complete=False), [], "2026-01-01")
