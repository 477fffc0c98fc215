"""What the command line prints: the closing table, the explanation of an experiment, lists of names."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final, get_args

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mdl import lessons
from mdl.config import Experiment
from mdl.errors import ConfigError, without_log
from mdl.learning import privacy as records
from mdl.learning.privacy import DpSgd
from mdl.learning.settings import NAMED_DATASETS, NAMED_MODELS
from mdl.mistakes import likely
from mdl.progress import human_bytes, human_seconds
from mdl.schemes.settings import AnyScheme
from mdl.suitability import check_networks, largest_entry
from mdl.summary import GAIN, GAIN_OVER, SATURATION_WARNED, gain
from mdl.system import EVERYBODY
from mdl.systems import AnySystem, Mutual, QuantisedMpc
from mdl.systems.decentralised.settings import DecentralisedSettings
from mdl.systems.promises import explain_spending
from mdl.systems.visibility import VisibilitySettings

if TYPE_CHECKING:
    from mdl.learning.sizes import Sized


def closing_table(summary: Mapping[str, Any], run: Path) -> Table:
    """Sum up a run in a few rows."""
    simulated = ", in simulated time" if summary["clock"] == "virtual" else ""
    title = Text(f"{summary['name']}: {summary['status']}{simulated}", style="bold")
    table = Table(title=title, title_justify="left", show_header=False)
    for name, value in _closing_rows(summary):
        table.add_row(name, Text(value))  # Text, because brackets in an error are no markup
    table.add_row("run folder", Text(str(run), overflow="fold"))
    return table


def _closing_rows(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    completed = summary["status"] == "completed"
    yield "epochs", f"{summary['epochs']} ({summary['reason']})" if completed else str(summary["epochs"])
    if summary["epochs"]:
        yield from _accuracy_rows(summary["accuracy"])
        yield from _cost_rows(summary)
    for lost in summary["left"]:
        yield f"worker {lost['worker']} left", shorten(without_log(str(lost["how"])), 300)
    yield from _weights_rows(summary)


def _weights_rows(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the model's hash if there is one model; warn if there are several where all are told one."""
    left = {str(lost["worker"]) for lost in summary["left"]}
    workers = {worker: found for worker, found in summary["weights"].get("workers", {}).items() if found}
    known = set(workers.values())
    if common := summary["weights"]["global"] or (known.pop() if len(known) == 1 else None):
        yield "weights (sha256)", common[:16]
    stayed = {worker: found for worker, found in workers.items() if worker not in left}
    told = (summary["secrecy"] or {}).get("opened") == EVERYBODY
    if told and len(set(stayed.values())) > 1:
        yield "weights (sha256)", ", ".join(f"worker {worker} {each[:16]}" for worker, each in stayed.items())
        yield "warning", _DIFFERENT


_DIFFERENT: Final = (
    "the workers have ended with different models, where all are told one: somebody has deviated, or a "
    "record was changed; trust none of them"
)


def _accuracy_rows(accuracy: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    for key, name in (("global", "global model"), ("pooled", "pooled data")):
        if key in accuracy:
            yield f"accuracy, {name}", f"{accuracy[key]:.4f}"
    for key, name in (("own", "own models"), ("alone", "trained alone")):
        if f"{key}_mean" in accuracy:
            mean, worst = accuracy[f"{key}_mean"], accuracy[f"{key}_worst"]
            yield f"accuracy, {name}", f"mean {mean:.4f}, worst {worst:.4f}"
    if (gained := gain(accuracy)) is not None:
        yield GAIN, f"{100 * gained:+.1f} points, {GAIN_OVER}"


def _cost_rows(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    seconds, sent, simulated = summary["seconds"], summary["bytes"], summary["clock"] == "virtual"
    # Workers at their own pace listen while they train, so that all their time is waiting too.
    activities = ("training", "cryptography", *(() if summary["own_pace"] else ("waiting",)))
    if sent:  # what is counted at the end only is not known of a run that was broken off
        yield "seconds, mean worker", ", ".join(f"{name} {seconds[name]:.1f}" for name in activities)
    yield (
        "simulated time" if simulated else "time, whole run",
        f"{human_seconds(seconds['total'])} ({summary['cpu_seconds']:.0f} s CPU over all)",
    )
    if sent:
        yield "bytes", ", ".join(_sent(who, size) for who, size in sent.items())
    if opinions := summary["opinions"]:
        yield "opinions, mean worker", lessons.in_words(opinions)
    if fairness := summary["fairness"]:
        yield "contributions", _contributions(fairness, seconds["total"])
    if summary["missed"] is not None:
        yield "missed updates", f"{summary['missed']:,} ({summary['missed_share']:.2%})"
    if secrecy := summary["secrecy"]:
        yield "security", _secrecy(secrecy, completed=summary["status"] == "completed")
    yield from _privacy_rows(summary["privacy"] or {})
    if summary["saturated"]:
        yield "saturated values", f"{summary['saturated']:,} ({summary['saturated_share']:.3%})"


def _sent(who: str, size: float) -> str:
    """Write an entry of the summary's bytes: a direction, the workers, or who is beside them."""
    if who in ("up", "down"):
        return f"{human_bytes(size)} {who}"
    return f"{human_bytes(size)} by {who if who == 'workers' else f'the {who}'}"


def _secrecy(secrecy: Mapping[str, str], *, completed: bool) -> str:
    """Say in a line what a computation on secrets rested on; a model is opened at its end."""
    return (
        f"{secrecy['model']}; {secrecy['together']} would know everything; the model "
        f"{'is' if completed else 'was to be'} opened to {secrecy['opened']}; {secrecy['rounding']} rounding"
    )


def _privacy_rows(privacy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say what the worker has spent that spent most."""
    if noise := privacy.get("noise"):
        if (each := noise.get("epsilon_parameter_epoch")) is not None:
            yield "noise, a parameter", f"ε = {each:g} in an epoch, for any change of the worker's data"
        yield "noise, in all", f"{noise['said']} (worker {noise['worker']})"
        yield "noise in a mean", f"standard deviation {noise['deviation_of_mean']:.3g}"
        yield "clipped values", f"{noise['clipped_share']:.2%}"
    if records := privacy.get("records"):
        where = f"worker {records['worker']}, {records['epochs']} epochs on {records['examples']:,} examples"
        where += f", {alone} of them alone" if (alone := records["epochs_alone"]) else ""
        yield "privacy, a record", f"ε = {records['epsilon']:.3g}, δ = {records['delta']:g} ({where})"


def _contributions(fairness: Mapping[str, Any], seconds: float) -> str:
    accepted = sum(fairness["accepted"].values())
    pace = accepted / seconds if seconds else 0.0
    written = f"{pace:,.0f}" if pace >= 10 else f"{pace:.2g}"
    return f"{accepted:,}, {written} a second; Jain's index {fairness['jain']:.3f}"


def saturation_warning(summary: Mapping[str, Any]) -> str | None:
    """Say that too many values were cut to the encoding's range, if they were."""
    share = summary["saturated_share"]
    if share <= SATURATION_WARNED:
        return None
    return (
        f"{share:.2%} of the values were cut to ±system.range, more than {SATURATION_WARNED:.1%}: the "
        "training may suffer; raise system.range (and lower system.fraction_bits if the sums no longer fit)"
    )


def explanation(experiment: Experiment, data_dir: Path | None) -> Group:
    """Say in words what an experiment does.

    Raises:
        ConfigError: the model cannot be made, or the system cannot train it.
        DataUnavailable: the user's own file, whose shape decides the model's, cannot be read.
    """
    from mdl.learning.sizes import parameter_count  # brings in torch

    models = _models(experiment, data_dir)
    counts = {name: parameter_count(sized.network) for name, sized in models.items()}
    parameters = max(counts.values())
    named = ", ".join(f"{name} ({count:,} parameters)" for name, count in counts.items())
    learning, system = experiment.learning, experiment.system
    head = (
        f"{experiment.name}: {experiment.workers} workers train {named} "
        f"on {learning.dataset} for {experiment.epochs} epochs, system {system.type!r}, "
        f"seed {experiment.seed}."
    )
    said: list[RenderableType] = [
        Text(head, style="bold"),
        *map(Text, system.explain(experiment.workers, parameters)),
    ]
    said += map(Text, _spending(experiment, parameters))
    if isinstance(system, QuantisedMpc):
        from mdl.forecast import training

        [sized] = models.values()
        said += training.forecast(experiment, sized)
    if isinstance(system, Mutual):
        from mdl.forecast import teaching

        said += teaching.forecast(experiment, models)
    if missing := _missing_data(experiment, data_dir):
        said.append(Text(f"Warning: the data is not here yet. {missing}", style="yellow"))
    return Group(*(Padding(paragraph, (0, 0, 1, 0)) for paragraph in said), Text("The file is valid."))


def _spending(experiment: Experiment, parameters: int) -> Iterator[str]:
    """Say what the run will spend of its workers' privacy."""
    system, learning = experiment.system, experiment.learning
    if isinstance(system, VisibilitySettings | DecentralisedSettings):
        spending = explain_spending(
            system, workers=experiment.workers, parameters=parameters, epochs=experiment.epochs
        )
        yield from filter(None, [spending])
    if isinstance(learning.privacy, DpSgd):
        examples = learning.examples_each(experiment.workers)
        sampling = learning.sampling(examples) if examples else None
        yield from records.explain(
            learning.privacy,
            sampling,
            epochs=experiment.epochs,
            alone=experiment.alone,
            own_pace=system.own_pace,
        )


def _missing_data(experiment: Experiment, data_dir: Path | None) -> str | None:
    from mdl.learning.sizes import missing_data  # brings in torch

    return missing_data(experiment.learning, data_dir)


def _models(experiment: Experiment, data_dir: Path | None) -> "Mapping[str, Sized]":
    from mdl.learning.sizes import models_of  # brings in torch

    found = models_of(
        experiment.learning,
        data_dir,
        workers=experiment.workers,
        seed=experiment.seed,
        largest=largest_entry(experiment),
    )
    check_networks(experiment, found)
    return found


def listing(what: str) -> Table:
    """List what a key of an experiment file can be.

    Raises:
        ConfigError: there is no such list.
    """
    lists: Mapping[str, Sequence[tuple[str, str]]] = {
        "systems": [(_type(table), _first_line(table)) for table in get_args(get_args(AnySystem)[0])],
        "schemes": [(_type(table), _first_line(table)) for table in get_args(get_args(AnyScheme)[0])],
        "datasets": [
            *((name, _DATASETS[name]) for name in NAMED_DATASETS),
            ("PATH.npz", "your own: x_train, y_train, x_test, y_test"),
            ("PATH-{worker}.npz", "one such file for each worker"),
        ],
        "models": [
            *((name, _MODELS[name]) for name in NAMED_MODELS),
            ("package.module:Name", "your own torch.nn.Module"),
        ],
    }
    if what not in lists:
        raise ConfigError([f"{what!r} is none of {', '.join(lists)}{likely(what, lists)}"], "mdl list")
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, said in lists[what]:
        table.add_row(Text(name, style="bold"), Text(said))
    return table


def _type(table: Any) -> str:
    return str(table.model_fields["type"].default)


def _first_line(table: Any) -> str:
    return _SAID.get(_type(table)) or (table.__doc__ or "").strip().splitlines()[0].rstrip(".")


_SAID = {
    "coordinated": "∝MDL^c: a manager leads workers through each epoch; a threshold scheme hides gradients",
    "dynamic": "∝MDL^d: workers at their own pace, first come, first served; gradients are hidden likewise",
    "fedavg": "federated averaging in the clear: the yardstick (the manager sees every worker's parameters)",
    "standalone": "every worker trains alone; with pooled = true also one model on all data",
    "elgamal": "threshold ElGamal over a prime-order group: the paper's scheme",
    "paillier": "threshold ElGamal modulo N²: additive, about 100 values a plaintext by default; any m open",
    "rlwe": "Ring-LWE masks with a key per block: as small and nearly as fast as plain sums; any m open",
    "prss": "masks from a pseudo-random function: a set for every parameter, any m of about ten workers open",
    "pairwise": "masks that cancel over a set known before: fastest, but every member must deliver (∝MDL^c)",
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
    "network-a": "of secure training (Keller, Sun): 784-128-128-10, 118,282 parameters",
    "network-b": "of secure training, 28x28: two convolutions, 33,542 parameters",
    "network-c": "of secure training, 28x28: two convolutions (LeNet), 431,080 parameters",
    "network-d": "of secure training, 28x28: one convolution, 99,240 parameters",
    "alexnet": "of secure training, 32x32: five convolutions, 399,306 parameters",
    "alexnet-falcon": "of secure training, 32x32: five wide convolutions, 3,881,354 parameters",
    "convnet": "cheap to ask in secret: two convolutions, quadratic: 10,986 parameters (32x32 colour)",
    "convnet-relu": "the same with ReLU, for comparison",
    "digits-quadratic": "64-32-10 for 8x8 digits, quadratic: 2,410 parameters",
}
