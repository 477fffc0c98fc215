"""Which experiments `mdl compare` takes together, and what it makes of them."""

from pathlib import Path
from typing import Any

import pytest

from mdl.config import parse
from mdl.errors import ConfigError
from mdl.learning.settings import LearningSettings
from mdl.studies.several import TRAINING, Several, data_settings, parse_seeds

HEAD = "workers = 4\nepochs = 2\n[learning]\nmodel = 'digits-mlp'\n"
FEDAVG = "[system]\ntype = 'fedavg'\n"
COORDINATED = "[system]\ntype = 'coordinated'\nthreshold = 3\n"


def write(folder: Path, name: str, system: str, *, head: str = HEAD, file: str = "") -> Path:
    path = folder / f"{file or name}.toml"
    path.write_text(f"name = '{name}'\n{head}{system}")
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path, "one", FEDAVG), write(tmp_path, "two", COORDINATED)


def refused(*files: Path, overrides: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Several(files, overrides).points()
    assert caught.value.args[1] == "mdl compare"
    return list(caught.value.problems)


def test_each_file_is_a_point_called_as_its_experiment_in_the_given_order(pair: tuple[Path, Path]) -> None:
    points, notes = Several(pair[::-1]).points()
    assert [point.name for point in points] == ["two", "one"]
    assert [point.experiment.system.type for point in points] == ["coordinated", "fedavg"]
    assert notes == []


def test_changes_hold_for_all(pair: tuple[Path, Path]) -> None:
    points, _ = Several(pair, ["workers=5", "learning.batch=16"]).points()
    assert [(point.experiment.workers, point.experiment.learning.batch) for point in points] == [(5, 16)] * 2


def test_experiments_of_one_name_get_numbers(tmp_path: Path) -> None:
    names = ["same", "same", "same-2", "other"]
    files = [write(tmp_path, name, FEDAVG, file=str(number)) for number, name in enumerate(names)]
    points, _ = Several(files).points()
    assert [point.name for point in points] == ["same", "same-2", "same-2-2", "other"]
    assert [point.experiment.name for point in points] == [point.name for point in points]


def test_each_experiment_is_run_with_each_seed(pair: tuple[Path, Path]) -> None:
    points, _ = Several(pair, seeds=[7, 8]).points()
    assert [point.name for point in points] == ["one_seed-7", "one_seed-8", "two_seed-7", "two_seed-8"]
    assert [point.experiment.seed for point in points] == [7, 8, 7, 8]
    assert points[1].settings == {"name": "one", "seed": 8}


@pytest.mark.parametrize(
    ("head", "key", "values"),
    [
        (HEAD.replace("workers = 4", "workers = 6"), "workers", "4 in {}; 6 in {}"),
        (f"seed = 9\n{HEAD}", "seed", "1 in {}; 9 in {}"),
        (HEAD.replace("digits-mlp", "mlp"), "learning.model", "digits-mlp in {}; mlp in {}"),
        (f"{HEAD}dataset = 'mnist'\n", "learning.dataset", "digits in {}; mnist in {}"),
        (f"{HEAD}split = 'disjoint'\n", "learning.split", "sample in {}; disjoint in {}"),
        (f"{HEAD}sample = 0.5\n", "learning.sample", "0.6 in {}; 0.5 in {}"),
        (f"{HEAD}train_limit = 100\n", "learning.train_limit", "none in {}; 100 in {}"),
        (f"{HEAD}test_limit = 50\n", "learning.test_limit", "none in {}; 50 in {}"),
    ],
)
def test_other_data_is_refused_with_the_key_and_each_files_value(
    tmp_path: Path, head: str, key: str, values: str
) -> None:
    one, two = write(tmp_path, "one", FEDAVG), write(tmp_path, "two", FEDAVG, head=head)
    problems = refused(one, two)
    [told] = [problem for problem in problems if problem.startswith(f"{key}:")]
    assert told.startswith(f"{key}: {values.format(one, two)} (for all: --set {key}=")
    assert problems[-1] == "only what is learnt from the same data can be compared"


def test_a_value_is_proposed_only_if_every_file_can_have_it(tmp_path: Path) -> None:
    few = write(tmp_path, "few", FEDAVG, head=HEAD.replace("workers = 4", "workers = 2"))
    many = write(tmp_path, "many", COORDINATED)
    [workers, _] = refused(few, many)
    assert workers == f"workers: 2 in {few}; 4 in {many} (for all: --set workers=4)"
    head = f"{HEAD.replace('workers = 4', 'workers = 3')}batch = 32\n"
    three = write(tmp_path, "three", "[system]\ntype = 'quantised-mpc'\n", head=head)
    four = write(tmp_path, "four", COORDINATED.replace("3", "4"))
    assert refused(three, four)[0] == f"workers: 3 in {three}; 4 in {four}"


def test_values_that_only_work_together_are_proposed_together(tmp_path: Path) -> None:
    one = write(tmp_path, "one", FEDAVG, head=f"{HEAD}split = 'shards'\nshards = 2\n")
    two = write(tmp_path, "two", FEDAVG)
    problems = refused(one, two)[:-1]
    assert [problem.partition(" (for all: --set ")[2] for problem in problems] == [
        "learning.split=shards)",
        "",  # learning.sample, which there is none of then
        "learning.shards=2)",
    ]


def test_how_often_models_are_scored_is_no_difference_in_training(tmp_path: Path) -> None:
    other = write(tmp_path, "two", FEDAVG, head=f"evaluate_every = 1\n{HEAD}")
    assert Several([write(tmp_path, "one", FEDAVG), other]).points()[1] == []


def test_what_is_left_out_is_what_it_stands_for(tmp_path: Path) -> None:
    said = write(tmp_path, "said", FEDAVG, head=f"{HEAD}sample = 0.6\n")
    points, _ = Several([write(tmp_path, "unsaid", FEDAVG), said]).points()
    assert len(points) == 2


def test_data_that_differs_can_be_made_to_agree(tmp_path: Path) -> None:
    other = write(tmp_path, "two", FEDAVG, head=HEAD.replace("workers = 4", "workers = 6"))
    points, _ = Several([write(tmp_path, "one", FEDAVG), other], ["workers=5"]).points()
    assert {point.experiment.workers for point in points} == {5}


def test_training_may_differ_and_is_told(tmp_path: Path) -> None:
    other = write(tmp_path, "two", FEDAVG, head=f"{HEAD}batch = 4\nlearning_rate = 0.5\n")
    one = write(tmp_path, "one", FEDAVG)
    _, notes = Several([one, other]).points()
    assert [note.partition(f" in {one}")[0] for note in notes] == [
        "not the same in all: learning.learning_rate: 0.01",
        "not the same in all: learning.batch: 128",
    ]


def test_every_key_of_learning_that_is_not_of_training_must_agree() -> None:
    experiment = parse({"name": "x", "workers": 3, "epochs": 1, "system": {"type": "fedavg"}})
    rest = LearningSettings.model_fields.keys() - set(TRAINING)
    assert set(TRAINING) <= LearningSettings.model_fields.keys()
    assert data_settings(experiment).keys() == {"workers", "seed", *(f"learning.{key}" for key in rest)}


def test_a_key_that_a_files_system_lacks_is_refused_with_the_file(pair: tuple[Path, Path]) -> None:
    problems = refused(*pair, overrides=("system.visibility=0.75",))
    assert problems[0].startswith(f"in {pair[0]}: system.visibility: ")
    assert "--set holds for all files" in problems[-1]


def test_files_that_are_wrong_are_all_told_at_once(tmp_path: Path) -> None:
    problems = refused(tmp_path / "no.toml", write(tmp_path, "x", "[system]\ntype = 'fedavg'\nmode = 3\n"))
    assert len(problems) == 2
    assert problems[0] == f"in {tmp_path / 'no.toml'}: there is no such file"


@pytest.mark.parametrize(("count", "said"), [(1, "give two"), (2, "is given twice")])
def test_less_than_two_files_are_no_comparison(tmp_path: Path, count: int, said: str) -> None:
    assert said in refused(*[write(tmp_path, "one", FEDAVG)] * count)[0]


def test_seeds_are_read() -> None:
    assert parse_seeds("1, 20,3") == [1, 20, 3]


@pytest.mark.parametrize("text", ["", "1,,2", "a", "-1", "1,1", "1.5", "²"])
def test_what_is_no_list_of_seeds_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--seeds"):
        parse_seeds(text)


def test_only_what_was_asked_for_is_compared_and_only_if_it_left_a_run(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    source: Any = Several(pair)
    for name in ("one", "zero"):
        (tmp_path / "study" / name).mkdir(parents=True)
        (tmp_path / "study" / name / "experiment.toml").touch()
        (tmp_path / "study" / name / "summary.json").touch()
    assert source.compared(tmp_path / "study", source.points()[0]) == [tmp_path / "study" / "one"]
