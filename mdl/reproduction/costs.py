"""What computing costs here: measured at the start of a figure, then charged to the virtual clock."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from mdl.bench.cases import GRID
from mdl.bench.steps import Exchange, measure
from mdl.reproduction.figure import Setting
from mdl.reproduction.priced import PricedSettings, Prices, Till, Widths, widths_of
from mdl.reproduction.printed_steps import measure_printed
from mdl.reproduction.training import Network, measure_training
from mdl.schemes.settings import Requirements, RlweSettings

BLOCK: Final = 16_384
"""Parameters in a block of our scheme."""

PAPER_BITS: Final = 256
"""The paper's key size."""

TURNS: Final = 2
"""Prices are measured in turns, and the least of each is taken: a busy moment then falls on none alone."""

_VALUES: Final = 200
_RUNS: Final = 3


def printed(
    setting: Setting, members: Sequence[int], *, bits: int = PAPER_BITS
) -> Mapping[int, PricedSettings]:
    """Give the printed protocol at these sizes of active sets, a set a parameter, as measured here."""
    about = {"bits": bits, "values": _VALUES, "runs": _RUNS}
    measured: dict[int, Prices] = {}
    for turn in range(TURNS):
        for m in members:
            name = f"printed-{bits}-bits-{m}-members-{turn + 1}"
            steps = setting.kept(name, {**about, "members": m}, partial(_printed, bits, m))
            measured[m] = measured.get(m, Prices(**steps)).least(Prices(**steps))
    return {
        m: PricedSettings(
            name=f"the printed protocol at {bits} bits",
            widths=printed_widths(bits, m),
            prices=prices,
            till=Till(),
        )
        for m, prices in measured.items()
    }


def printed_widths(bits: int, members: int) -> Widths:
    """Give the printed protocol's bytes, with which it costs 4m elements a parameter.

    An opener is shown one element, as is printed (g^{z_i r}). Our conversation shows it m-1 hints, so each is
    that part of an element wide, rounded up.
    """
    element = bits // 8
    return Widths(
        threshold=members,
        members_first=False,
        body=element,
        hint=element,
        shown=-(-element // max(1, members - 1)),
        share=element,
    )


def ours(setting: Setting, workers: int, members: int) -> PricedSettings:
    """Give our scheme for large blocks, Ring-LWE masks, as measured here, in blocks of `BLOCK`."""
    wanted = Requirements(workers, members, members, BLOCK, GRID)
    about = {"workers": workers, "members": members, "block": BLOCK, "runs": _RUNS}
    steps = setting.kept(f"rlwe-{workers}-workers-{members}-members", about, partial(_rlwe, wanted))
    return PricedSettings(
        name="rlwe", widths=widths_of(RlweSettings().build(wanted)), prices=Prices(**steps), till=Till()
    )


def training(setting: Setting, network: Network) -> float:
    """Give the seconds of a local epoch on the paper's number of images, as measured here."""
    runs = 5 if setting.quick else 15
    name = f"training-{network.name}"
    return float(setting.kept(name, network.to_json(), partial(measure_training, network, runs=runs)))


def _printed(bits: int, members: int) -> dict[str, float]:
    steps = measure_printed(bits, members, values=_VALUES, runs=_RUNS)
    return Prices(steps.encrypt, steps.share, steps.coefficients + steps.decrypt).to_json()


def _rlwe(wanted: Requirements) -> dict[str, float]:
    exchange = Exchange(RlweSettings().build(wanted), wanted, 2 * wanted.block)
    _, seconds = measure(exchange, _RUNS)
    each = exchange.blocks * wanted.block
    return Prices(seconds.encrypt / each, seconds.share / each, seconds.manager / each).to_json()
