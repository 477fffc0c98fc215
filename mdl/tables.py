"""What the command line prints: the closing table, the explanation of an experiment, lists of names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mdl.config import Experiment
from mdl.errors import ConfigError
from mdl.learning.settings import NAMED_DATASETS, NAMED_MODELS
from mdl.progress import human_bytes, human_seconds
from mdl.schemes.settings import AnyScheme
from mdl.systems import AnySystem


def closing_table(summary: Mapping[str, Any], run: Path) -> Table:
    """Sum up a run in a few rows."""
    table = Table(title=f"{summary['name']}: {summary['status']}", title_justify="left", show_header=False)
    for name, value in _closing_rows(summary):
        table.add_row(name, value)
    table.add_row("run folder", Text(str(run), overflow="fold"))
    return table


def _closing_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    accuracy, seconds = summary["accuracy"], summary["seconds"]
    rows = [("epochs", f"{summary['epochs']} ({summary['reason']})")]
    for key, name in (("global", "accuracy, global model"), ("pooled", "accuracy, pooled data (no privacy)")):
        if key in accuracy:
            rows.append((name, f"{accuracy[key]:.4f}"))
    for key, name in (("own", "accuracy, workers' models"), ("alone", "accuracy, trained alone")):
        if f"{key}_mean" in accuracy:
            rows.append((name, f"mean {accuracy[f'{key}_mean']:.4f}, worst {accuracy[f'{key}_worst']:.4f}"))
    if "global" in accuracy and "alone_mean" in accuracy:
        gain = 100 * (accuracy["global"] - accuracy["alone_mean"])
        rows.append(
            ("gain over training alone", f"{gain:+.1f} points (global model against the mean worker)")
        )
    rows.append(
        (
            "seconds, mean worker",
            f"training {seconds['training']:.1f}, cryptography {seconds['cryptography']:.1f}, "
            f"waiting {seconds['waiting']:.1f}",
        )
    )
    rows.append(
        (
            "seconds, whole run",
            f"{human_seconds(seconds['total'])} ({summary['cpu_seconds']:.0f} s CPU in all parties)",
        )
    )
    sent = summary["bytes"]
    rows.append(("bytes", f"{human_bytes(sent['up'])} up, {human_bytes(sent['down'])} down"))
    rows.append(("missed updates", f"{summary['missed']:,} ({summary['missed_share']:.2%})"))
    if summary["saturated"]:
        rows.append(("saturated values", f"{summary['saturated']:,}"))
    for lost in summary["left"]:
        rows.append((f"worker {lost['worker']} left", f"{lost['how'].splitlines()[0]}"))
    if summary["weights"]["global"]:
        rows.append(("weights (sha256)", summary["weights"]["global"][:16]))
    return rows


def explanation(experiment: Experiment, data_dir: Path | None) -> Group:
    """Say in words what an experiment does."""
    parameters = count_parameters(experiment, data_dir)
    learning = experiment.learning
    head = (
        f"{experiment.name}: {experiment.workers} workers train {learning.model} ({parameters:,} parameters) on "
        f"{learning.dataset} for {experiment.epochs} epochs, system {experiment.system.type!r}, seed {experiment.seed}."
    )
    paragraphs = [
        Text(head, style="bold"),
        *map(Text, experiment.system.explain(experiment.workers, parameters)),
    ]
    return Group(*(Padding(paragraph, (0, 0, 1, 0)) for paragraph in paragraphs), Text("The file is valid."))


def count_parameters(experiment: Experiment, data_dir: Path | None) -> int:
    """Build the model to see how many parameters it has."""
    from mdl.learning.sizes import parameter_count  # brings in torch

    return parameter_count(experiment.learning, data_dir, workers=experiment.workers)


def listing(what: str) -> Table:
    """List what a key of an experiment file can be.

    Raises:
        ConfigError: there is no such list.
    """
    lists = {
        "systems": lambda: [(_type(table), _first_line(table)) for table in get_args(get_args(AnySystem)[0])],
        "schemes": lambda: [(_type(table), _first_line(table)) for table in get_args(get_args(AnyScheme)[0])],
        "datasets": lambda: [
            *((name, _DATASETS[name]) for name in NAMED_DATASETS),
            ("PATH.npz", "your own: x_train, y_train, x_test, y_test"),
            ("PATH-{worker}.npz", "one such file for each worker"),
        ],
        "models": lambda: [
            *((name, _MODELS[name]) for name in NAMED_MODELS),
            ("package.module:Name", "your own torch.nn.Module"),
        ],
    }
    if what not in lists:
        raise ConfigError([f"{what!r} is none of {', '.join(lists)}"], "mdl list")
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, said in lists[what]():
        table.add_row(Text(name, style="bold"), said)
    return table


def _type(table: Any) -> str:
    return str(table.model_fields["type"].default)


def _first_line(table: Any) -> str:
    return _SAID.get(_type(table)) or (table.__doc__ or "").strip().splitlines()[0]


_SAID = {
    "coordinated": "∝MDL^c: a manager shepherds the workers through each epoch; gradients hidden by a threshold scheme",
    "fedavg": "federated averaging in the clear: the yardstick (the manager sees every worker's parameters)",
    "standalone": "every worker trains alone; with pooled = true also one model on all data",
    "elgamal": "threshold ElGamal over a prime-order group: the paper's scheme",
    "plain": "hides nothing: the oracle that every private run must equal, weight for weight",
}

_DATASETS = {
    "digits": "1,797 digits of 8x8 pixels, bundled with scikit-learn: needs no download",
    "mnist": "70,000 digits of 28x28 pixels",
    "fashion-mnist": "70,000 articles of clothing, 28x28 pixels",
    "svhn": "99,289 street-view house numbers, 32x32 pixels, colour",
    "cifar10": "60,000 photographs of ten kinds, 32x32 pixels, colour",
}

_MODELS = {
    "mlp": "the paper's MLP for the data's shape: 140,106 parameters (MNIST) or 402,250 (32x32 colour)",
    "cnn": "the paper's CNN for the data's shape: 105,506 parameters (MNIST) or 313,546 (32x32 colour)",
    "digits-mlp": "64-32-10 for 8x8 digits: 2,410 parameters",
}
