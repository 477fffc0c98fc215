"""In the text: ∝MDL without noise, beside models trained alone and on all data."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from mdl.report import drawing
from mdl.report.drawing import Picture
from mdl.reproduction import bars
from mdl.reproduction.bars import Bars
from mdl.reproduction.committed import experiment_file
from mdl.reproduction.figure import Check, Data, Figure, Row, Setting
from mdl.reproduction.learning_runs import QUICK, SEEDS, Learnt, Spread, learn, networks_of, over_seeds, sized

FULL: Final = (
    Learnt("MLP-MNIST", "mlp", "mnist", images=None, epochs=30),
    Learnt("CNN-MNIST", "cnn", "mnist", images=20_000, epochs=15),
)

POINT: Final = 0.01

ALONE, JOINED, POOLED = "alone, on 60 %", "∝MDL", "all data in one place"
HIDDEN: Final = "prss"


def run(setting: Setting) -> Data:
    """Train together, alone, and on the union of all data; and one seed with cryptography."""
    file = experiment_file("accuracy")
    networks = sized(setting, FULL)
    joined = learn(setting, file, networks, {})
    apart = learn(
        setting,
        file,
        networks,
        {},
        overrides=["system.type=standalone", "system.pooled=true"],
        label="standalone",
    )
    hidden = learn(
        setting,
        file,
        [replace(network, epochs=min(network.epochs, 5)) for network in networks[:1]],
        {"system.scheme.type": ("plain", HIDDEN)},
        seeds=SEEDS[:1],
        label=HIDDEN,
    )
    rows: list[Row] = [
        {"network": row["network"], "seed": row["seed"], "model": model, "accuracy": row[column]}
        for runs, model, column in (
            (joined, JOINED, "accuracy"),
            (apart, ALONE, "own_models"),
            (apart, POOLED, "pooled"),
        )
        for row in runs
    ]
    facts = {
        "seeds": list(SEEDS),
        "networks": [network.extent for network in networks],
        "weights": {str(row["type"]): row["weights"] for row in hidden},
    }
    return Data(rows, facts, "computed")


def checks(data: Data) -> Sequence[Check]:
    """Joining costs no accuracy against training alone on as much, and hiding changes nothing."""
    found = []
    for network in networks_of(data.rows):
        alone, joined, pooled = (_accuracy(data, network, model) for model in (ALONE, JOINED, POOLED))
        found.append(
            Check(
                f"{network}: ∝MDL is within a point of one model trained alone on 60 % for as many epochs",
                f"{joined} against {alone} (mean of 8 workers): {_points(alone, joined)}; "
                f"all data in one place {pooled}: {_points(joined, pooled)} to that",
                joined.mean >= alone.mean - POINT,
            )
        )
    weights: dict[str, str] = data.facts["weights"]
    found.append(
        Check(
            "hiding changes no weight: the same hash with and without cryptography, on the same seed",
            ", ".join(f"{scheme}: {hash_[:16]}" for scheme, hash_ in weights.items()),
            len(set(weights.values())) == 1,
        )
    )
    return found


def _points(before: Spread, after: Spread) -> str:
    return f"{100 * (after.mean - before.mean):+.2f} points"


def _accuracy(data: Data, network: str, model: str) -> Spread:
    return over_seeds(data.rows, "accuracy", network=network, model=model)


def draw(data: Data, provenance: str) -> Picture:
    """Draw three bars for each network."""
    seeds: list[Any] = data.facts["seeds"]
    networks = list(networks_of(data.rows))
    shown = [
        Bars(model, colour, [_accuracy(data, network, model) for network in networks])
        for model, colour in ((ALONE, drawing.IDLE), (JOINED, drawing.BLUE), (POOLED, drawing.GREEN))
    ]
    return bars.grouped(
        "accuracy",
        title="Accuracy without noise",
        subtitle="n = 8, ρ = 0.5; each worker holds 60 % of the images",
        caption="Test accuracy of a model trained alone, of the global model, and of one on all data.",
        notes=[*data.facts["networks"], f"mean of {len(seeds)} seeds, ± one standard deviation", provenance],
        panels={"": shown},
        places=networks,
        x_label="",
        y_label="test accuracy",
        decimals=3,
    )


ACCURACY: Final = Figure(
    name="accuracy",
    title="accuracy without noise, beside training alone",
    section="VI-B c",
    claim="On SVHN ∝MDL reaches 91.4 % (with noise, at ρ = 1); a model trained on its own reaches 92.1 %.",
    quick=f"∝MDL, alone and pooled, three seeds, and one seed with {HIDDEN}; {QUICK.extent}",
    full="; ".join(network.extent for network in FULL),
    run=run,
    checks=checks,
    draw=draw,
    networks=[network.key for network in FULL],
)
