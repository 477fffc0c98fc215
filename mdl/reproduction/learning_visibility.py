"""Figure 7 (a): accuracy and epochs to converge against ρ, under noise."""

from collections.abc import Sequence
from typing import Any, Final

from mdl.report import drawing
from mdl.report.drawing import Picture
from mdl.reproduction import plots
from mdl.reproduction.committed import experiment_file
from mdl.reproduction.figure import Check, Data, Figure, Setting
from mdl.reproduction.learning_runs import QUICK, SEEDS, Spread, full, learn, networks_of, over_seeds
from mdl.reproduction.plots import Series
from mdl.reproduction.shapes import listed, rises

VISIBILITIES: Final = (0.125, 0.25, 0.5, 0.75, 1.0)
"""ρ: m = 1, 2, 4, 6, 8 of n = 8."""

BUDGET: Final = 0.5

TOLERANCE: Final = 0.01
"""A fall of a point is no fall."""

ALIKE: Final = 0.2


def run(setting: Setting) -> Data:
    """Train under every ρ and every seed."""
    networks = [QUICK] if setting.quick else full(setting.data_dir)
    rows = learn(setting, experiment_file("7a"), networks, {"system.visibility": VISIBILITIES})
    facts = {"epsilon": BUDGET, "seeds": list(SEEDS), "networks": [network.extent for network in networks]}
    return Data([{key: row[key] for key in _COLUMNS} for row in rows], facts, "computed")


_COLUMNS: Final = ("network", "visibility", "seed", "accuracy", "own_models", "epochs_to_converge", "weights")


def checks(data: Data) -> Sequence[Check]:
    """More workers in a sum: never worse; and about as many epochs."""
    found = []
    for network in networks_of(data.rows):
        accuracy = [spread.mean for spread in _by_visibility(data, network, "accuracy")]
        epochs = [spread.mean for spread in _by_visibility(data, network, "epochs_to_converge")]
        middle = sorted(epochs)[len(epochs) // 2]
        found += [
            Check(
                f"{network}: accuracy rises with ρ, but for a point",
                f"{listed(accuracy)} at ρ = {listed(VISIBILITIES)}",
                rises(accuracy, TOLERANCE) and accuracy[-1] > accuracy[0],
            ),
            Check(
                f"{network}: until a point below its best, about as many epochs (within {ALIKE:.0%} of "
                "the median)",
                f"{listed(epochs)} at ρ = {listed(VISIBILITIES)}",
                max(abs(each - middle) for each in epochs) <= ALIKE * middle,
            ),
        ]
    return found


def _by_visibility(data: Data, network: str, column: str) -> Sequence[Spread]:
    return [over_seeds(data.rows, column, network=network, visibility=each) for each in VISIBILITIES]


def draw(data: Data, provenance: str) -> Picture:
    """Draw a line for each network: accuracy on the left, epochs on the right."""
    seeds: list[Any] = data.facts["seeds"]
    headings = {"test accuracy": "accuracy", "epochs until a point below the best": "epochs_to_converge"}
    panels = {
        heading: [
            Series(
                network,
                colour,
                VISIBILITIES,
                [spread.mean for spread in _by_visibility(data, network, column)],
                [spread.deviation for spread in _by_visibility(data, network, column)],
            )
            for network, colour in zip(networks_of(data.rows), drawing.PALETTE, strict=False)
        ]
        for heading, column in headings.items()
    }
    return plots.lines(
        "figure-7a",
        title="Accuracy and convergence against ρ",
        subtitle=f"n = 8, Laplace noise of ε = {data.facts['epsilon']:g} a parameter and epoch, clip γ = 0.5",
        caption="The global model, as more workers' gradients are in every sum.",
        notes=[*data.facts["networks"], f"mean of {len(seeds)} seeds, ± one standard deviation", provenance],
        panels=panels,
        x_label="ρ",
        y_label="",
    )


FIGURE_7A: Final = Figure(
    name="7a",
    title="accuracy and epochs to converge against ρ",
    section="VI-B c",
    claim="ρ has a large influence on accuracy: CNN-SVHN reaches 81.5 % at ρ = 0.125 and 91.4 % at ρ = 1 "
    "(ε = 0.5). Most models converge in about the same number of epochs whatever ρ is.",
    quick=f"ρ ∈ {{0.125, 0.25, 0.5, 0.75, 1}}, ε = {BUDGET:g}, γ = 0.5, three seeds; {QUICK.extent}",
    full="the same for the paper's four networks (CIFAR-10 stands in for SVHN where that is not at hand)",
    run=run,
    checks=checks,
    draw=draw,
)
