"""Experiment files: what is right gives an `Experiment`, everything else a `ConfigError` that says where."""

import tomllib
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mdl.config import DelaySettings, Experiment, check_resumable, load, parse
from mdl.errors import ConfigError
from mdl.system import Stop
from mdl.systems import Coordinated

QUICKSTART = Path(__file__).parent.parent / "configs" / "quickstart.toml"
CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("**/*.toml"))
QUICKSTART = Path(__file__).parent.parent / "configs" / "quickstart.toml"

MINIMAL = """
name = "minimal"
workers = 8
epochs = 3

[system]
type = "coordinated"
visibility = 0.5
"""


def experiment(tmp_path: Path, text: str = MINIMAL, *overrides: str) -> Experiment:
    path = tmp_path / "file.toml"
    path.write_text(text)
    return load(path, overrides)[0]


def problems(tmp_path: Path, text: str = MINIMAL, *overrides: str) -> Sequence[str]:
    with pytest.raises(ConfigError) as caught:
        experiment(tmp_path, text, *overrides)
    return caught.value.problems


def quickstart(*overrides: str) -> Experiment:
    return load(QUICKSTART, overrides)[0]


# ---------------------------------------------------------------------------------------------------------
# files


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_experiment_file_loads_and_is_called_as_its_file(path: Path) -> None:
    found, notes = load(path)
    assert found.name == path.stem
    assert notes == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_file_written_from_an_experiment_gives_it_back(path: Path) -> None:
    found, _ = load(path)
    assert parse(tomllib.loads(found.to_toml())) == found


def test_an_experiment_is_frozen(tmp_path: Path) -> None:
    found = experiment(tmp_path)
    with pytest.raises(ValidationError):
        found.seed = 2  # type: ignore[misc] # mypy knows it too


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml:\n  there is no such file"):
        load(tmp_path / "nowhere.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        load(tmp_path)


def test_an_error_of_syntax_gives_its_line(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, 'name = "x"\nworkers = = 8\n')
    assert problem.startswith("is no valid TOML: ")
    assert "line 2" in problem


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = " + b"[" * 5000, b"a = " + b"9" * 5000])
def test_a_file_that_is_no_toml_at_all_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.toml").write_bytes(content)
    with pytest.raises(ConfigError, match="no "):
        load(tmp_path / "odd.toml")


# ---------------------------------------------------------------------------------------------------------
# mistakes


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        """
        name = "two words"
        workers = 2
        epochz = 0
        [sytem]
        type = "coordnated"
        visibility = "0.5"
        share = "max"
        [learning]
        batch = 1.5
        """,
    )
    assert [problem.partition(":")[0] for problem in told] == [
        "epochz",
        "sytem",
        "system.type",
        "name",
        "epochs",
        "system.visibility",
        "system.share",
        "learning.batch",
    ]


def test_what_is_impossible_is_told_beside_what_is_ill_typed(tmp_path: Path) -> None:
    told = problems(tmp_path, MINIMAL, "workers=4", "learning.batch=0", "delay.mean_seconds=[1.0]")
    assert [problem.partition(":")[0] for problem in told] == [
        "learning.batch",
        "system.threshold",
        "delay.mean_seconds",
    ]


def test_visibility_and_threshold_together_are_refused(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, MINIMAL, "system.threshold=4", "system.visibility=0.5")
    assert problem == "system: give either visibility (ρ, as 0.5) or threshold (m, as 4), not both"


def test_too_low_a_threshold_needs_the_word_insecure(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, MINIMAL, "workers=4")
    assert "use m of at least 3 (and at least 3 workers), or say system.insecure = true" in problem
    assert experiment(tmp_path, MINIMAL, "workers=4", "system.insecure=true").workers == 4


def test_a_key_that_a_scheme_has_no_use_for_is_to_be_left_out(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, MINIMAL, "system.scheme.type=pairwise", "system.opening_threshold=5")
    assert problem.endswith("nobody answers to open a sum: leave system.opening_threshold out")


def test_values_that_fit_by_themselves_but_not_together_are_refused(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, MINIMAL, "system.range=1e300")
    assert problem.startswith("system: range * 2^fraction_bits must be in")


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", "-x", "x" * 65, "ä", "a\n"])
def test_a_name_must_do_for_a_folder(name: str) -> None:
    with pytest.raises(ConfigError, match="name: should be letters, digits"):
        parse({"name": name, "workers": 1, "epochs": 1, "system": {"type": "standalone"}})


# ---------------------------------------------------------------------------------------------------------
# overrides


def test_a_byte_order_mark_before_a_file_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "marked.toml").write_text(QUICKSTART.read_text(), encoding="utf-8-sig")
    assert load(tmp_path / "marked.toml") == load(QUICKSTART)


def test_a_value_is_read_as_toml_or_else_taken_for_a_string(tmp_path: Path) -> None:
    found = experiment(
        tmp_path, MINIMAL, "name=other", "seed = 7", 'learning.model="cnn"', "learning.dataset=mnist"
    )
    assert (found.name, found.seed, found.learning.model, found.learning.dataset) == (
        "other",
        7,
        "cnn",
        "mnist",
    )


def test_a_line_break_smuggles_in_no_further_key(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, MINIMAL, 'name="x"\nseed=9')
    assert problem.startswith("name: ")


@pytest.mark.parametrize("override", ["seed", "=3", ".seed=3", "system.=1", "system..type=x", ""])
def test_a_malformed_override_is_told_how_to_be_written(tmp_path: Path, override: str) -> None:
    [problem] = problems(tmp_path, MINIMAL, override)
    assert "write it as key.path=value" in problem


def test_all_malformed_overrides_are_told_at_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, MINIMAL, "seed", "epochs")) == 2


def test_a_key_below_a_value_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, MINIMAL, "name.first=x") == ("--set name.first: name is no table",)


def test_a_key_set_to_two_values_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, MINIMAL, "seed=1", "seed=2") == ("--set seed=2: seed is set to 1 as well",)
    assert experiment(tmp_path, MINIMAL, "seed=3", "seed=3").seed == 3


def test_a_new_type_drops_the_keys_it_does_not_know_and_says_so() -> None:
    found, notes = load(QUICKSTART, ["system.type=fedavg"])
    assert found.system.type == "fedavg"
    [note] = notes
    assert note.startswith("system.type is now 'fedavg': dropped system.visibility, system.share,")


def test_a_new_type_keeps_the_keys_that_it_knows(tmp_path: Path) -> None:
    file = tmp_path / "elgamal.toml"
    elgamal = 'type = "elgamal"\ngroup = "schnorr2048"'
    file.write_text(QUICKSTART.read_text().replace('type = "prss"', elgamal))
    found, notes = load(file, ["system.scheme.type=plain"])
    assert found.system.type == "coordinated"
    assert found.system.scheme.type == "plain"
    assert found.system.visibility == 0.5
    assert notes == ["system.scheme.type is now 'plain': dropped system.scheme.group"]


@pytest.mark.parametrize(("block", "scheme"), [(1, "prss"), (255, "prss"), (256, "rlwe"), (16384, "rlwe")])
def test_the_default_scheme_is_the_fastest_for_the_block(block: int, scheme: str) -> None:
    found = quickstart(f'system={{type="coordinated", visibility=0.5, block={block}}}')
    assert isinstance(found.system, Coordinated)
    assert found.system.scheme.type == scheme


def test_the_same_type_again_drops_nothing() -> None:
    assert load(QUICKSTART, ["system.type=coordinated"]) == load(QUICKSTART)


def test_a_whole_table_can_be_replaced() -> None:
    assert quickstart('system={type="standalone", pooled=true}').system.type == "standalone"


def test_the_order_of_overrides_does_not_matter() -> None:
    overrides = ["system.pooled=true", "system.type=standalone", "workers=3", "learning.batch=16"]
    found = [load(QUICKSTART, order) for order in permutations(overrides)]
    assert all(each == found[0] for each in found)
    tables = ["learning.batch=5", 'learning={dataset="digits"}', "learning.split=disjoint"]
    assert all(quickstart(*order) == quickstart(*tables) for order in permutations(tables))


def test_an_unknown_type_on_the_command_line_names_the_known_ones(tmp_path: Path) -> None:
    told = problems(tmp_path, MINIMAL, "system.type=fedvag")
    assert told[0].startswith("system.type: 'fedvag' is unknown; did you mean 'fedavg'?")
    assert len(told) == 1


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("system.scheme=prss", "should be a table, not 'prss'; did you mean system.scheme.type?"),
        ("system.scheme=", "should be a table, not ''; did you mean system.scheme.type?"),
        ("type=prss", "unknown key (known: name, "),
        ("scheme.type=prss", "unknown table; did you mean system.scheme?"),
        ("system.scheme.type=PRSS", "'PRSS' is unknown; did you mean 'prss'?"),
        ("system.scheme.range=8", "unknown key; did you mean system.range?"),
        ("system.scheme.fraction_bits=8", "unknown key; did you mean system.fraction_bits?"),
        ("system.scheme.block=8", "unknown key; did you mean system.block?"),
        ("system.scheme.opening_threshold=5", "unknown key; did you mean system.opening_threshold?"),
        (
            "system.scheme.group=secp256k1",
            "unknown key; group is a key of type = 'elgamal', and the type here",
        ),
    ],
)
def test_a_scheme_that_is_set_in_a_wrong_place_is_led_to_the_right_one(override: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        quickstart(override)
    [problem] = caught.value.problems
    assert problem.partition(": ")[2].startswith(sentence)


def test_noise_is_asked_for_on_the_command_line() -> None:
    laplace = quickstart("system.privacy.epsilon=0.5", "system.privacy.type=laplace").system
    assert laplace.model_dump()["privacy"] == {"type": "laplace", "epsilon": 0.5, "clip": 0.5}
    assert quickstart("system.privacy.type=none").system == quickstart().system


def test_noise_of_another_type_takes_no_numbers_over(tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    table = '[system.privacy]\ntype = "gaussian"\nclip = 2.0\nnoise_multiplier = 3.0\n'
    file.write_text(MINIMAL + table, encoding="utf-8")
    found, notes = load(file, ["system.privacy.type=laplace", "system.privacy.epsilon=0.5"])
    assert found.system.model_dump()["privacy"] == {"type": "laplace", "epsilon": 0.5, "clip": 0.5}
    dropped = "system.privacy.clip, system.privacy.noise_multiplier"
    assert notes == [f"system.privacy.type is now 'laplace': dropped {dropped}"]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["type=laplce"], "system.privacy.type: 'laplce' is unknown; did you mean 'laplace'?"),
        (["type=laplace"], "system.privacy.epsilon: is missing"),
        (["type=laplace", "epsilon=0"], "system.privacy.epsilon: should be greater than 0, not 0"),
        (["type=laplace", "epsilon=1.0", "clp=1.0"], "system.privacy.clp: unknown key; did you mean clip?"),
        (["type=gaussian", "clip=1.0"], "system.privacy: give either noise_multiplier, or both epsilon"),
    ],
)
def test_mistakes_about_noise_are_told(overrides: Sequence[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        quickstart(*(f"system.privacy.{override}" for override in overrides))
    assert caught.value.problems[0].startswith(sentence)


@pytest.mark.parametrize("system", ["fedavg", "standalone"])
def test_systems_that_hide_nothing_know_no_noise(tmp_path: Path, system: str) -> None:
    text = MINIMAL.replace('"coordinated"\nvisibility = 0.5', f'"{system}"')
    [problem] = problems(tmp_path, text, "system.privacy.type=laplace", "system.privacy.epsilon=0.5")
    assert problem.startswith(
        "system.privacy: unknown table; did you mean learning.privacy? In system, privacy is a key of type = "
        "'coordinated' or 'decentralised' or 'dynamic', and the type here"
    )


TABLES = ["type", "visibility", "threshold", "share", "scheme", "block", "range", "group", "encoding", "x"]
KEYS = st.sampled_from([*Experiment.model_fields, *TABLES, "dataset", "model", "split", "mean_seconds"])
SPECIAL = ["1e400", "-1", "0", "nan", "2026-01-01", '"""', "{}", "[[]]", "9" * 5000, "[" * 3000, "true"]
SPECIAL += ["elgamal", "plain", "fedavg", "coordinated", "files", "{worker}.npz", "1e300", "\udcff"]
VALUES = st.one_of(
    st.sampled_from(SPECIAL),
    st.integers().map(str),
    st.floats().map(str),
    st.text(max_size=20),
    st.lists(st.integers(0, 3), max_size=4).map(str),
)


@settings(deadline=None, max_examples=300)
@given(overrides=st.lists(st.tuples(st.lists(KEYS, min_size=1, max_size=3), VALUES), min_size=1, max_size=4))
def test_whatever_is_set_gives_an_experiment_or_a_config_error(
    overrides: list[tuple[list[str], str]],
) -> None:
    try:
        found, _ = load(QUICKSTART, [f"{'.'.join(keys)}={value}" for keys, value in overrides])
    except ConfigError:
        return
    assert parse(tomllib.loads(found.to_toml())) == found


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(tables=st.dictionaries(KEYS, JSON, max_size=6))
def test_any_tables_give_an_experiment_or_a_config_error(tables: dict[str, Any]) -> None:
    try:
        found = parse({"name": "any", "workers": 4, "epochs": 1, **tables})
    except ConfigError:
        return
    assert parse(tomllib.loads(found.to_toml())) == found


# ---------------------------------------------------------------------------------------------------------
# what an experiment gives


def test_a_stop_rule_is_given_only_where_there_is_one(tmp_path: Path) -> None:
    assert experiment(tmp_path).stop_rule() is None
    assert experiment(tmp_path, MINIMAL, "stop.patience=3").stop_rule() == Stop(3, "accuracy")


def test_delays_follow_from_the_seed_and_grow_with_the_worker(tmp_path: Path) -> None:
    found = experiment(tmp_path, MINIMAL, "delay.slope_seconds=5", "delay.deviation_seconds=0.1")
    assert found.delays(1) == found.delays(1)
    assert max(found.delays(1)) < min(found.delays(2)) < max(found.delays(2)) < min(found.delays(3))
    assert found.delays(0) == ()
    assert experiment(tmp_path).delays(1) == ()


def test_there_are_delays_for_more_epochs_than_the_experiment_has(tmp_path: Path) -> None:
    few = experiment(tmp_path, MINIMAL, "delay.slope_seconds=5", "epochs=2").delays(1)
    many = experiment(tmp_path, MINIMAL, "delay.slope_seconds=5", "epochs=1200").delays(1)
    assert (len(few), len(many)) == (1000, 1200)
    assert few == many[:1000]


@pytest.mark.parametrize("system", ["fedavg", "standalone"])
def test_delays_are_the_same_whatever_the_system(tmp_path: Path, system: str) -> None:
    one = experiment(tmp_path, MINIMAL, "delay.slope_seconds=5")
    other = experiment(tmp_path, MINIMAL, "delay.slope_seconds=5", f"system.type={system}")
    assert one.delays(2) == other.delays(2)


def test_delays_can_be_given_for_each_worker_and_are_never_negative() -> None:
    delay = DelaySettings(mean_seconds=[0.0, 2.0], deviation_seconds=[1.0, 0.0])
    assert min(delay.seconds(1, 1, 1000)) == 0.0
    assert set(delay.seconds(1, 2, 1000)) == {2.0}


def test_a_mean_for_all_and_a_slope_add_up() -> None:
    delay = DelaySettings(mean_seconds=10.0, slope_seconds=5.0, deviation_seconds=0.0)
    assert [delay.seconds(1, worker, 1) for worker in (1, 2, 3)] == [[15.0], [20.0], [25.0]]


@pytest.mark.parametrize("key", ["mean_seconds", "deviation_seconds"])
@pytest.mark.parametrize("value", ["-1", "[1.0, 2.0, -0.5]"])
def test_a_negative_delay_is_refused_in_one_sentence(tmp_path: Path, key: str, value: str) -> None:
    text = f"{MINIMAL}[delay]\nslope_seconds = 1.0\n{key} = {value}"
    assert problems(tmp_path, text)[0].startswith(f"delay.{key}: should be at least 0, not ")


@pytest.mark.parametrize("key", ["mean_seconds", "deviation_seconds"])
def test_a_list_of_delays_has_a_value_for_every_worker(tmp_path: Path, key: str) -> None:
    text = f"{MINIMAL}[delay]\nslope_seconds = 1.0\n{key} = [1.0, 2.0]"
    assert problems(tmp_path, text) == (f"delay.{key}: 2 values for 8 workers",)


def test_delays_have_a_mean() -> None:
    with pytest.raises(ValidationError, match="give slope_seconds"):
        DelaySettings()


@pytest.mark.parametrize("change", ["epochs=99", "evaluate_every=2", "learning.data_dir=elsewhere"])
def test_a_resumed_run_may_go_on_for_longer_and_look_elsewhere_for_its_data(change: str) -> None:
    before, _ = load(QUICKSTART)
    check_resumable(before, load(QUICKSTART, [change])[0])


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("seed=9", "seed"),
        ("system.visibility=1.0", "system.visibility"),
        ("system.scheme.type=plain", "system.scheme.type"),
        ("learning.learning_rate=0.3", "learning.learning_rate"),
        ("workers=9", "workers"),
    ],
)
def test_a_resumed_run_keeps_what_its_gradients_follow_from(change: str, key: str) -> None:
    before, _ = load(QUICKSTART)
    with pytest.raises(ConfigError, match=rf"{key}: is .* in the run"):
        check_resumable(before, load(QUICKSTART, [change])[0])


def test_setting_the_threshold_takes_the_place_of_the_visibility(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('name = "x"\nworkers = 8\nepochs = 1\n[system]\ntype = "coordinated"\nvisibility = 0.5\n')
    experiment, notes = load(file, ["system.threshold=3"])
    assert isinstance(experiment.system, Coordinated)
    assert (experiment.system.threshold, experiment.system.visibility) == (3, None)
    assert notes == ["system.threshold is set: dropped system.visibility"]
    with pytest.raises(ConfigError, match="not both"):
        load(file, ["system.threshold=3", "system.visibility=0.5"])


def test_models_for_each_worker_take_the_place_of_one_for_all_and_back(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(
        'name = "x"\nworkers = 2\nepochs = 1\n[system]\ntype = "standalone"\n[learning]\nmodel = "cnn"\n'
    )
    found, notes = load(file, ['learning.models=["mlp", "digits-mlp"]'])
    assert (found.learning.model, found.learning.models) == (None, ["mlp", "digits-mlp"])
    assert notes == ["learning.models is set: dropped learning.model"]
    file.write_text(found.to_toml())
    again, _ = load(file)
    assert again == found
    found, notes = load(file, ["learning.model=cnn"])
    assert (found.learning.model, found.learning.models) == ("cnn", None)
    assert notes == ["learning.model is set: dropped learning.models"]


@pytest.mark.parametrize(
    ("system", "sentence"),
    [
        ("type = 'fedavg'", "learning.models: in fedavg one network is trained by all; give learning.model"),
        (
            "type = 'standalone'\npooled = true",
            "learning.models: in standalone one network is trained by all",
        ),
        ("type = 'standalone'", "learning.models: 2 names for 3 workers"),
    ],
)
def test_models_for_each_worker_that_cannot_be_are_refused(
    tmp_path: Path, system: str, sentence: str
) -> None:
    text = f"name = 'x'\nworkers = 3\nepochs = 1\n[system]\n{system}\n[learning]\nmodels = ['mlp', 'cnn']\n"
    [problem] = problems(tmp_path, text)
    assert problem.startswith(sentence)
