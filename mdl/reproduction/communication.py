"""In the text: what an update of every parameter sends, counted at the transport [∝MDL, §§IV-C c, V-C c]."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from mdl.bench.cases import GRID
from mdl.report import drawing
from mdl.report.drawing import Picture
from mdl.reproduction import plots
from mdl.reproduction.costs import BLOCK, printed_widths
from mdl.reproduction.figure import Check, Data, Figure, Setting
from mdl.reproduction.plots import Series
from mdl.reproduction.priced import PricedSettings, Prices, Till, Widths, widths_of
from mdl.reproduction.shapes import listed
from mdl.reproduction.training import MLP_MNIST
from mdl.reproduction.virtual import AnyVariant, StandIn, variant
from mdl.schemes.settings import ElGamalSettings, Requirements, RlweSettings
from mdl.simulator import simulate
from mdl.systems.dynamic import Dynamic

WORKERS: Final = 8
MEMBERS: Final = (2, 3, 5)
"""m: an element of 256 bytes can be divided among the others of so many members."""

BITS: Final = 2048
ELEMENT: Final = BITS // 8
"""G, the bytes of a group element."""

FRAMING: Final = 0.02
"""Of what is counted, at most so much may be no group element."""

PRINTED_C, PRINTED_D = "∝MDL^c as printed", "∝MDL^d as printed"
SAFE_C, SAFE_D = "∝MDL^c here", "∝MDL^d here"
OURS: Final = "rlwe"

ELEMENTS: Final[Mapping[str, tuple[str, Callable[[int], int]]]] = {
    PRINTED_C: ("4m", lambda m: 4 * m),
    PRINTED_D: ("m² + 3m", lambda m: m * m + 3 * m),
    SAFE_C: ("m² + 2m", lambda m: m * m + 2 * m),
    SAFE_D: ("m² + 2m", lambda m: m * m + 2 * m),
}
"""Elements of an update, in words and as a function of m."""

_EXCHANGE: Final = ("Upload", "Open", "Answer", "Raise", "Raised", "RaiseOwn", "RaisedOwn")
"""The messages that carry ciphertexts, hints and shares."""

_LATER_SECONDS: Final = 1e3
"""No worker ends a second epoch before the run is over."""


def run(setting: Setting) -> Data:
    """Run one epoch of each conversation, and count its bytes at the transport."""
    rows = []
    for name, members in ((name, members) for name in (*ELEMENTS, OURS) for members in MEMBERS):
        parameters = _parameters(name)
        about = {"conversation": name, "members": members, "parameters": parameters, "bits": BITS}
        counted = setting.kept(f"bytes-{name}-{members}", about, partial(count, name, members))
        rows.append(
            {
                "conversation": name,
                "members": members,
                "parameters": parameters,
                "bytes": counted,
                "elements": ELEMENTS[name][1](members) if name in ELEMENTS else None,
                "bytes_a_parameter": counted / parameters,
            }
        )
    return Data(rows, {"element_bytes": ELEMENT, "workers": WORKERS, "block": BLOCK}, "computed")


def _parameters(name: str) -> int:
    if name == OURS:
        return MLP_MNIST.parameters
    return 200 if name == PRINTED_D else 5_000


def count(name: str, members: int) -> int:
    """Give the bytes of the messages that carry cryptography, framing included, of one epoch.

    ∝MDL^d as printed is run with its cryptography, and n = m: so every set closes once. In the others the
    scheme's rows are zeros of its widths.
    """
    workers = members if name in (PRINTED_D, SAFE_D) else WORKERS
    parameters = _parameters(name)
    simulation = simulate(
        _system(name, workers, members),
        lambda _: StandIn(parameters),
        workers=workers,
        delays=lambda party: [float(party), _LATER_SECONDS],
    )
    for error in simulation.errors.values():
        raise error
    kinds = [(type(sent.message).__name__, sent.size_bytes) for sent in simulation.transcript]
    return sum(size for kind, size in kinds if kind in _EXCHANGE)


def _system(name: str, workers: int, members: int) -> AnyVariant:
    elgamal = ElGamalSettings(group="schnorr2048")
    if name == PRINTED_D:
        # A narrow range keeps the table small in which sums are found.
        keys: dict[str, Any] = {"range": 4.0, "fraction_bits": 8, "selection": "balanced"}
        return Dynamic(threshold=members, mode="paper", scheme=elgamal, insecure=True, **keys)
    if name == OURS:
        widths = widths_of(RlweSettings().build(Requirements(workers, members, members, BLOCK, GRID)))
        return _shaped("c", members, BLOCK, widths)
    if name == PRINTED_C:
        return _shaped("c", members, 1, printed_widths(BITS, members))
    widths = widths_of(elgamal.build(Requirements(workers, members, members, 1, GRID)))
    return _shaped("c" if name == SAFE_C else "d", members, 1, widths)


def _shaped(which: Any, members: int, block: int, widths: Widths) -> AnyVariant:
    """Give a variant whose messages have these widths."""
    scheme = PricedSettings(name="any", widths=widths, prices=Prices(0.0, 0.0, 0.0), till=Till())
    return variant(which, members, block).model_copy(update={"scheme": scheme})


def _framing(row: Any) -> float:
    """Give what is counted beyond the elements, as a part of them."""
    elements = row["elements"] * row["parameters"] * ELEMENT
    return float(row["bytes"] / elements - 1)


def checks(data: Data) -> Sequence[Check]:
    """What is counted is the formula, and framing."""
    found = []
    for name, (words, _) in ELEMENTS.items():
        framing = [_framing(row) for row in data.rows if row["conversation"] == name]
        found.append(
            Check(
                f"{name}: ({words})·t·G bytes, and at most {FRAMING:.0%} of framing",
                f"framing {', '.join(f'{each:.2%}' for each in framing)} at m = {listed(MEMBERS)}",
                all(0 <= each <= FRAMING for each in framing),
            )
        )
    return found


def draw(data: Data, provenance: str) -> Picture:
    """Draw bytes a parameter against m."""
    colours = {
        PRINTED_C: (drawing.BLUE, False),
        PRINTED_D: (drawing.VERMILION, False),
        SAFE_C: (drawing.SKY, True),
        OURS: (drawing.GREEN, True),
    }

    def series(name: str) -> Series:
        heights: list[Any] = [row["bytes_a_parameter"] for row in data.rows if row["conversation"] == name]
        label = f"{name}, blocks of {BLOCK:,}" if name == OURS else name
        return Series(label, colours[name][0], MEMBERS, heights, dashed=colours[name][1])

    drawn = [series(name) for name in colours]
    return plots.lines(
        "communication",
        title="Bytes of an update",
        subtitle=f"all workers together, a parameter; elements of {ELEMENT} bytes ({BITS} bits)",
        caption="Ciphertexts, hints and shares of one update of a parameter, counted at the transport. Here "
        "an opener is shown the hints of all members, so that it can see whose sum it opens; in ∝MDL^d as in "
        "∝MDL^c. Logarithmic axes.",
        notes=[
            "∝MDL^c as printed: our conversation, with the one element that an opener is shown",
            provenance,
        ],
        panels={"": drawn},
        x_label="m",
        y_label="bytes a parameter and update",
        logarithmic=True,
    )


COMMUNICATION: Final = Figure(
    name="communication",
    title="bytes of an update",
    section="IV-C c, V-C c",
    claim="An epoch costs a worker O(⌈mt/n⌉) and the manager O(tm) in ∝MDL^c, and m times as much in ∝MDL^d. "
    "The printed messages have 4m and m² + 3m group elements a parameter.",
    quick=f"one epoch of each conversation with elements of {ELEMENT} bytes, m = 2, 3, 5; rlwe beside them",
    full="the same",
    run=run,
    checks=checks,
    draw=draw,
)
