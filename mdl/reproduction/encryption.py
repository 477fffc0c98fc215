"""Figure 5: what encryption and decryption cost, against the key size (a) and the number of workers (b)."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from mdl.report import drawing
from mdl.report.drawing import Picture
from mdl.reproduction import plots
from mdl.reproduction.costs import PAPER_BITS
from mdl.reproduction.figure import Check, Data, Figure, Setting
from mdl.reproduction.plots import Series
from mdl.reproduction.printed_steps import measure_printed
from mdl.reproduction.shapes import correlation, exponent, listed, slope
from mdl.reproduction.training import MLP_MNIST, measure_training

VALUES: Final = 200
"""Gradients that are encrypted at a time."""

MEMBERS: Final = 4
"""m of Figure 5a: n = 8, ρ = 0.5."""

MICRO: Final = 1e6

STEPS: Final = (
    ("encrypt", "encryption (worker)", drawing.BLUE, False),
    ("decrypt", "decryption (manager)", drawing.VERMILION, False),
    ("share", "a worker's share", drawing.SKY, True),
    ("coefficients", "manager's powers of z", drawing.ORANGE, True),
)
_WHICH: Final = (
    "As the paper does, decryption is the manager's products, inverse and logarithm. What it needs before, a "
    "power by each worker that answers and one for each by the manager, is drawn beside it, dashed."
)


def run_5a(setting: Setting) -> Data:
    """Time the printed steps at each key size."""
    sizes = [256, 512, 1024, 2048] if setting.quick else [256, 512, 1024, 2048, 3072]
    runs = 3 if setting.quick else 9
    rows = []
    for bits in sizes:
        about = {"bits": bits, "members": MEMBERS, "values": VALUES, "runs": runs}
        steps = setting.kept(f"printed-{bits}-bits", about, partial(_printed, bits, MEMBERS, runs))
        rows.append({"bits": bits, **steps})
    return Data(rows, {"members": MEMBERS, "values": VALUES, "best_of": runs}, "measured")


def _printed(bits: int, members: int, runs: int) -> dict[str, float]:
    """Give CPU µs a value, by step."""
    seconds = measure_printed(bits, members, values=VALUES, runs=runs)
    return {step: MICRO * cost for step, cost in seconds.to_json().items()}


def checks_5a(data: Data) -> Sequence[Check]:
    """Encryption grows faster than the key; decryption stays far below it."""
    bits = _column(data, "bits")
    encrypt, decrypt = _column(data, "encrypt"), _column(data, "decrypt")
    power, flat = exponent(bits, encrypt), exponent(bits, decrypt)
    ratios = [e / d for e, d in zip(encrypt, decrypt, strict=True)]
    large = [ratio for b, ratio in zip(bits, ratios, strict=True) if b >= 1024]
    return [
        Check(
            "encryption grows faster than the key size",
            f"with its power {power:.2f}: {listed(encrypt)} µs a value at {listed(bits, 4)} bits",
            power > 1,
        ),
        Check(
            "decryption takes at most a tenth of encryption from 1024 bits on",
            f"encryption ÷ decryption there: {listed(large)}",
            min(large) >= 10,
        ),
        Check(
            "decryption never takes longer than encryption",
            f"encryption ÷ decryption: {listed(ratios)}",
            min(ratios) >= 1,
        ),
        Check(
            "the key size tells on decryption less than on encryption",
            f"powers of the key size: {flat:.2f} against {power:.2f}",
            flat < power,
        ),
    ]


def draw_5a(data: Data, provenance: str) -> Picture:
    """Draw time against key size, on logarithmic axes."""
    return plots.lines(
        "figure-5a",
        title="Encryption and decryption against the key size",
        subtitle=f"the printed protocol, m = {MEMBERS}, one core",
        caption=f"CPU time a value, on logarithmic axes. {_WHICH}",
        notes=[f"CPU time a value, best of {data.facts['best_of']} rounds of {VALUES} values", provenance],
        panels={"": _series(data, "bits")},
        x_label="key size, bits",
        y_label="µs a value",
        logarithmic=True,
    )


def run_5b(setting: Setting) -> Data:
    """Time the printed steps for each n, in turns, so that a busy moment falls on all alike."""
    sizes = [4, 8, 16, 24, 32] if setting.quick else list(range(4, 33, 4))
    turns, runs = (3, 3) if setting.quick else (9, 5)
    least: dict[int, dict[str, float]] = {}
    for turn in range(turns):
        for workers in sizes:
            about = {"bits": PAPER_BITS, "workers": workers, "values": VALUES, "runs": runs}
            name = f"printed-{workers}-workers-{turn + 1}"
            found = setting.kept(name, about, partial(_printed, PAPER_BITS, workers // 2, runs))
            before = least.get(workers, found)
            least[workers] = {step: min(cost, before[step]) for step, cost in found.items()}
    net = MLP_MNIST
    training = setting.kept(f"training-{net.name}", net.to_json(), lambda: measure_training(net, runs=turns))
    rows = [{"workers": n, "members": n // 2, **steps} for n, steps in least.items()]
    facts = {
        "bits": PAPER_BITS,
        "values": VALUES,
        "best_of": turns * runs,
        "network": net.name,
        "parameters": net.parameters,
        "images": net.paper_images,
        "training_seconds": training,
        "worker_seconds": _worker_seconds(least[8], net.parameters),
        "manager_seconds": (least[8]["coefficients"] + least[8]["decrypt"]) / MICRO * net.parameters,
    }
    return Data(rows, facts, "measured")


def _worker_seconds(steps: dict[str, float], parameters: int) -> float:
    """Give what an epoch's cryptography costs a worker that contributes to half of the parameters."""
    return (steps["encrypt"] + steps["share"]) / MICRO * parameters / 2


def checks_5b(data: Data) -> Sequence[Check]:
    """Encryption does not know n; decryption is linear in m."""
    workers, members = _column(data, "workers"), _column(data, "members")
    encrypt, decrypt = _column(data, "encrypt"), _column(data, "decrypt")
    drift = slope(workers, encrypt) * (workers[-1] - workers[0]) / (sum(encrypt) / len(encrypt))
    r = correlation(members, decrypt)
    return [
        Check(
            "encryption does not depend on n (its line from n = 4 to 32 moves by 10 % at most)",
            f"by {drift:+.1%}: {listed(encrypt)} µs a value",
            abs(drift) <= 0.1,
        ),
        Check(
            "decryption grows linearly with m",
            f"{slope(members, decrypt):.3f} µs a member, correlation {r:.3f}: {listed(decrypt)} µs a value",
            slope(members, decrypt) > 0 and r >= 0.95,
        ),
    ]


def draw_5b(data: Data, provenance: str) -> Picture:
    """Draw time against n."""
    facts = data.facts
    notes = [
        f"An epoch of {facts['network']} at n = 8: {facts['worker_seconds']:.1f} s of cryptography a worker "
        f"and {facts['manager_seconds']:.1f} s at the manager, beside {facts['training_seconds']:.1f} s of "
        f"training on {facts['images']:,} images (one core each)",
        provenance,
    ]
    shown = _series(data, "workers")
    both = {"encryption and decryption": shown[:2], "with what each answer takes": shown}
    return plots.lines(
        "figure-5b",
        title="Encryption and decryption against the number of workers",
        subtitle=f"the printed protocol, {PAPER_BITS} bits, m = n/2, one core",
        caption=f"CPU time a value. {_WHICH}",
        notes=notes,
        panels=both,
        x_label="workers n",
        y_label="µs a value",
        legend=shown,
    )


def _series(data: Data, x: str) -> Sequence[Series]:
    return [
        Series(name, colour, _column(data, x), _column(data, step), dashed=dashed)
        for step, name, colour, dashed in STEPS
    ]


def _column(data: Data, name: str) -> list[float]:
    column: list[Any] = [row[name] for row in data.rows]
    return column


FIGURE_5A: Final = Figure(
    name="5a",
    title="encryption and decryption against the key size",
    section="VI-B a",
    claim="The cost of encryption is proportional to the key size. The key size has a minimal impact on "
    "decryption, which takes modular products and inverses only.",
    quick=f"the printed steps at 256, 512, 1024 and 2048 bits, {VALUES} values, m = {MEMBERS}; best of 3",
    full="also 3072 bits; best of 9",
    run=run_5a,
    checks=checks_5a,
    draw=draw_5a,
)

FIGURE_5B: Final = Figure(
    name="5b",
    title="encryption and decryption against the number of workers",
    section="VI-B a",
    claim="The cost of encryption does not depend on the number of workers, that of decryption grows mildly "
    "with it (256 bits, ρ = 0.5). Both are small beside the training of the local models.",
    quick=f"the printed steps for n = 4, 8, 16, 24, 32, m = n/2, {VALUES} values, best of 9; beside them, "
    "the training of an epoch",
    full="n = 4, 8, .., 32; best of 45",
    run=run_5b,
    checks=checks_5b,
    draw=draw_5b,
)
