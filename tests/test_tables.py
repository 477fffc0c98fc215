"""What the command line prints, at the width of a terminal of 80 columns."""

import io
from pathlib import Path
from typing import Any, get_args

import pytest
from rich.console import Console, RenderableType

from mdl.config import Experiment, parse
from mdl.errors import ConfigError, DataUnavailable, ProtocolError, WorkerDied
from mdl.learning.settings import NAMED_DATASETS, NAMED_MODELS
from mdl.schemes.settings import AnyScheme
from mdl.summary import Account, summarise
from mdl.systems import AnySystem
from mdl.tables import closing_table, explanation, listing, saturation_warning

SUMMARY: dict[str, Any] = {
    "name": "quickstart",
    "status": "completed",
    "reason": "all epochs done",
    "epochs": 20,
    "accuracy": {
        "global": 0.9521,
        "pooled": 0.97,
        "own_mean": 0.9376,
        "own_worst": 0.91,
        "alone_mean": 0.8612,
        "alone_worst": 0.8321,
    },
    "seconds": {"total": 1234.5, "training": 100.25, "cryptography": 987.65, "waiting": 123.45},
    "clock": "wall",
    "own_pace": False,
    "cpu_seconds": 9876.5,
    "bytes": {"up": 9_876_543_210, "down": 9_876_543_210},
    "secrecy": None,
    "missed": 1_234_567,
    "missed_share": 0.1234,
    "saturated": 12_345,
    "saturated_share": 0.00123,
    "fairness": None,
    "privacy": None,
    "opinions": None,
    "weights": {"global": "ab" * 32, "workers": {}},
    "left": [],
}


def printed(what: RenderableType, width: int = 80) -> str:
    output = io.StringIO()
    Console(file=output, width=width).print(what)
    return output.getvalue()


def table(**changes: Any) -> str:
    return printed(closing_table({**SUMMARY, **changes}, Path("runs/20260101-120000-quickstart")))


def words(text: str) -> str:
    """The text with every run of blanks, and every line break, as one blank."""
    return " ".join(text.split())


def experiment(**system: Any) -> Experiment:
    chosen = {"type": "coordinated", "visibility": 0.5, **system}
    learning = {"dataset": "digits", "model": "digits-mlp"}
    return parse({"name": "any", "workers": 8, "epochs": 3, "system": chosen, "learning": learning})


def explained(found: Experiment, data_dir: Path | None = None) -> str:
    return words(printed(explanation(found, data_dir)))


# ---------------------------------------------------------------------------------------------------------
# the closing table


def test_the_closing_table_fits_80_columns_without_breaking_a_row() -> None:
    lines = table().splitlines()
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert all(line[2] != " " for line in lines if line.startswith("│"))


def test_the_closing_table_says_what_a_run_gave_and_cost() -> None:
    text = table()
    for expected in (
        "20 (all epochs done)",
        "0.9521",
        "mean 0.8612, worst 0.8321",
        "+9.1 points",
        "training 100.2, cryptography 987.6, waiting 123.5",
        "20 min 34 s",
        "9.88 GB up, 9.88 GB down",
        "1,234,567 (12.34%)",
        "12,345 (0.123%)",
        "runs/20260101-120000-quickstart",
    ):
        assert expected in text


OPINIONS: dict[str, Any] = {
    "asked": 600.0,
    "answered": 600.0,
    "opinions": 412.0,
    "opinions_right": 0.68,
    "opinions_needed": 0.28,
    "learnt_from": 390.0,
    "epochs_learnt": 38.0,
    "answers_limit": None,
}


def test_the_closing_table_says_what_came_of_opinions() -> None:
    assert "600 asked; 412 known, 68% right; learnt from 390" in table(opinions=OPINIONS)
    assert "600 asked of 1,000 at most" in table(opinions={**OPINIONS, "answers_limit": 1000})
    assert "opinions" not in table()


def test_the_closing_table_says_that_no_opinion_was_ever_learnt_from() -> None:
    wrong = {**OPINIONS, "opinions_right": 0.2, "learnt_from": 0.0, "epochs_learnt": 0.0}
    said = " ".join(table(opinions=wrong).replace("│", " ").split())
    assert "20% right; none was ever learnt from (at least 28% must be right)" in said
    unasked = {**wrong, "asked": None, "opinions": 0.0, "opinions_right": None}
    assert "0 asked; 0 known; none was ever learnt from" in words(table(opinions=unasked))


def test_the_closing_table_of_a_computation_on_secrets_says_what_it_rests_on() -> None:
    found = parse(
        {
            "name": "any",
            "workers": 3,
            "epochs": 3,
            "system": {"type": "quantised-mpc", "opening": 2, "rounding": "nearest"},
            "learning": {"batch": 16},
        }
    )
    figures = summarise(Account(found), status="completed", reason="all epochs done", seconds=1.0)
    shown = {"epochs": 3, "bytes": {"workers": 5_000_000, "dealer": 7_000_000}}
    text = words(printed(closing_table({**figures, **shown}, Path("runs/any")), 200))
    assert "5 MB by workers, 7 MB by the dealer" in text
    assert (
        "rep3: replicated sharing, semi-honest, honest majority; any two together would know everything; "
        "the model is opened to worker 2 alone; nearest rounding"
    ) in text
    assert "missed" not in text
    stopped = {**figures, **shown, "status": "interrupted"}
    text = words(printed(closing_table(stopped, Path("runs/any")), 200))
    assert "the model was to be opened to worker 2 alone" in text


SECRECY = {
    "model": "rep3",
    "together": "two",
    "deviating": "",
    "opened": "all workers",
    "rounding": "nearest",
}


def test_different_models_where_all_are_told_one_are_warned_of() -> None:
    weights = {"global": None, "workers": {"1": "ab" * 32, "2": "cd" * 32, "3": "ab" * 32}}
    text = words(table(weights=weights, secrecy=SECRECY).replace("│", " "))
    assert "warning the workers have ended with different models" in text
    assert "worker 1 abababababababab, worker 2 cdcdcdcdcdcdcdcd" in text
    one = {"global": None, "workers": dict.fromkeys("123", "ab" * 32)}
    text = table(weights=one, secrecy=SECRECY)
    assert "abababababababab" in text
    assert "warning" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"secrecy": None},
        {"secrecy": {**SECRECY, "opened": "worker 1 alone"}},
        {"secrecy": SECRECY, "left": [{"worker": 2, "epoch": 3, "how": "died"}]},
    ],
)
def test_models_that_may_differ_are_not_warned_of(changes: dict[str, Any]) -> None:
    weights = {"global": None, "workers": {"1": "ab" * 32, "2": "cd" * 32}}
    assert "warning" not in table(weights=weights, **changes)


def test_contributions_are_counted_with_their_pace_and_how_evenly_they_were_taken() -> None:
    text = words(table(fairness={"jain": 0.8512, "accepted": {"1": 2469, "2": 0}}))
    assert "contributions │ 2,469, 2 a second; Jain's index 0.851" in text
    assert "contributions" not in table()


RECORDS = {"worker": 2, "epochs": 6, "epochs_alone": 3, "examples": 181, "epsilon": 10.4, "delta": 1e-5}


def test_what_a_record_has_spent_is_told_with_the_epochs_of_the_model_trained_alone() -> None:
    text = words(table(privacy={"records": RECORDS}).replace("│", " "))
    assert "ε = 10.4, δ = 1e-05 (worker 2, 6 epochs on 181" in text
    assert "3 of them alone" in text
    assert "alone)" not in words(table(privacy={"records": {**RECORDS, "epochs_alone": 0}}))


def test_workers_that_listen_while_they_train_are_not_said_to_wait() -> None:
    assert "waiting" in table()
    assert "waiting" not in table(own_pace=True)


def test_simulated_time_is_called_so() -> None:
    assert "simulated time" in table(clock="virtual")
    assert "simulated" not in table()


def test_what_a_broken_off_simulation_sent_is_not_told() -> None:
    text = table(clock="virtual", bytes={})
    assert "bytes" not in text
    assert "waiting" not in text


def test_a_failed_run_without_an_epoch_has_a_short_table() -> None:
    text = table(status="failed", epochs=0, reason="DataUnavailable: x", weights={"global": None})
    assert "quickstart: failed" in text
    assert "run folder" in text
    assert "accuracy" not in text
    assert "DataUnavailable" not in text  # the reason has a line of its own below


def test_who_left_is_told_in_a_row_and_brackets_are_no_markup() -> None:
    how = str(WorkerDied(3, "was killed [bold]by SIGKILL", "  and more"))
    text = table(left=[{"worker": 3, "epoch": 2, "how": how}])
    assert "worker 3 left" in text
    assert "[bold]by SIGKILL" in text
    assert "and more" not in text


def test_why_a_worker_left_is_told_with_all_its_lines() -> None:
    how = str(ProtocolError("no network to be asked about these\n  examples", [1]))
    text = printed(
        closing_table({**SUMMARY, "left": [{"worker": 2, "epoch": 1, "how": how}]}, Path("x")), 200
    )
    assert "no network to be asked about these examples (worker 1)" in text


def test_a_long_path_is_folded_and_not_cut() -> None:
    path = Path("/very" * 30)
    shown = printed(closing_table(SUMMARY, path)).replace("│", " ").split()
    assert str(path) in "".join(shown)


def test_saturation_is_warned_of_above_one_in_a_thousand() -> None:
    warning = saturation_warning(SUMMARY)
    assert warning is not None
    assert warning.startswith("0.12% of the values were cut to ±system.range, more than 0.1%")
    assert saturation_warning({**SUMMARY, "saturated_share": 0.001}) is None


# ---------------------------------------------------------------------------------------------------------
# the explanation


def test_an_explanation_gives_threshold_key_size_security_capacity_and_costs() -> None:
    text = explained(experiment(scheme={"type": "elgamal"}))
    for expected in (
        "8 workers train digits-mlp (2,410 parameters) on digits for 3 epochs",
        "m = 4 (ρ = 0.5 of n = 8)",
        "modulo a prime of 2048 bits (about 112 bits of security)",
        "524,289 possible sums, of 4,194,304 that a decoding table may hold",
        "7.4 MB up and 7.5 MB down",
        "19,280 exponentiations to encrypt",
        "9,640 to open",
        "up to 3 workers, colluding",
        "The file is valid.",
    ):
        assert expected in text


def test_models_of_each_workers_own_are_explained_with_their_sizes() -> None:
    learning = {"dataset": "digits", "models": ["digits-mlp", "mlp", "mlp"]}
    tables = {"name": "x", "workers": 3, "epochs": 1, "system": {"type": "standalone"}, "learning": learning}
    said = explained(parse(tables))
    assert "3 workers train digits-mlp (2,410 parameters), mlp (17,226 parameters) on digits" in said


def test_the_oracle_is_said_to_hide_nothing() -> None:
    text = explained(experiment(scheme={"type": "plain"}))
    assert "the manager sees every worker's encoded gradient" in text
    assert "no exponentiations" in text


def test_a_missing_named_data_set_is_warned_of_and_the_file_stays_valid(tmp_path: Path) -> None:
    found = experiment()
    mnist = found.model_copy(update={"learning": found.learning.model_copy(update={"dataset": "mnist"})})
    text = explained(mnist, tmp_path)
    assert "Warning: the data is not here yet." in text
    assert "MNIST/raw/train-images-idx3-ubyte" in text
    assert "scripts/fetch_data.py mnist" in text
    assert text.endswith("The file is valid.")
    assert "set learning.data_dir or MDL_DATA" in explained(mnist)


def test_a_users_own_file_must_be_there_because_its_shape_decides(tmp_path: Path) -> None:
    found = experiment()
    changes = {"dataset": str(tmp_path / "mine.npz"), "model": "mlp"}
    mine = found.model_copy(update={"learning": found.learning.model_copy(update=changes)})
    with pytest.raises(DataUnavailable, match=r"mine\.npz"):
        explanation(mine, None)


# ---------------------------------------------------------------------------------------------------------
# lists


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("systems", [table.model_fields["type"].default for table in get_args(get_args(AnySystem)[0])]),
        ("schemes", [table.model_fields["type"].default for table in get_args(get_args(AnyScheme)[0])]),
        ("datasets", NAMED_DATASETS),
        ("models", NAMED_MODELS),
    ],
)
def test_a_list_names_all_that_a_file_can_name(what: str, names: list[str]) -> None:
    text = printed(listing(what))
    assert all(name in text for name in names)
    assert all(len(line) <= 80 for line in text.splitlines())


def test_systems_are_told_in_the_words_of_whoever_chooses_one() -> None:
    text = words(printed(listing("systems")))
    assert "decentralised D-MHE: neighbours on a graph average encrypted models dynamic" in text
    assert "Settings" not in text


def test_there_is_no_other_list() -> None:
    with pytest.raises(ConfigError, match="did you mean systems"):
        listing("sistems")
