"""What is measured: schemes as an experiment file names them, and the baselines they are held against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from pydantic import TypeAdapter

from mdl.errors import ConfigError
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.settings import AnyScheme, Requirements, SchemeSettings
from mdl.schemes.threshold import ThresholdEncryption

GRID: Final = FixedPoint(range=16.0, fraction_bits=12)
"""The default encoding of gradients, for every scheme."""

LARGEST_BLOCK: Final = 1 << 20
"""A model "in one block" has blocks of this size at most."""

FLOAT32: Final = "float32"
"""The sum of vectors that nobody hides and nobody encodes: the floor."""

PRINTED: Final = "elgamal-naive-256"
"""The exponentiations of Algorithms 2 and 3 as printed, at the paper's 256 bits: what ratios refer to."""

PRINTED_SECURE: Final = "elgamal-naive-3072"
"""The same at 128 bits of security."""


PLAIN: Final[Mapping[str, Any]] = {"type": "plain"}
"""The table of the oracle: the same protocol without cryptography."""


@dataclass(frozen=True)
class Case:
    """One row of the tables.

    Attributes:
        name: what ``--only`` and ``--scheme`` call it.
        table: the ``scheme`` table.
        block: parameters in a block; None for the whole model in one, up to `LARGEST_BLOCK`.
        sample: at most so many parameters are measured, where a step takes long; None for all.
        drawn: whether balanced selection draws a set for each block; else all blocks have one.
    """

    name: str
    table: Mapping[str, Any]
    block: int | None = 1
    sample: int | None = None
    drawn: bool = False

    @property
    def settings(self) -> SchemeSettings:
        """The table, checked."""
        return _SCHEME.validate_python(dict(self.table))

    def parameters_of(self, parameters: int) -> int:
        """Give how many of so many parameters are measured."""
        return min(parameters, self.sample or parameters)

    def block_of(self, parameters: int) -> int:
        """Give the block size for a model of so many parameters."""
        return min(self.block or LARGEST_BLOCK, parameters)


_SCHEME: Final[TypeAdapter[AnyScheme]] = TypeAdapter(AnyScheme)


def _elgamal(group: str, form: str = "single") -> Mapping[str, Any]:
    encoding = "exponential" if group == "insecure256" else "lifted"
    return {"type": "elgamal", "group": group, "encoding": encoding, "form": form}


# Grids are as square as one of 140,106 parameters; a sample keeps as many blocks as a block has positions.
CASES: Final[Sequence[Case]] = (
    Case(PRINTED, _elgamal("insecure256", "naive"), sample=1_500),
    Case("elgamal-256", _elgamal("insecure256"), sample=3_000),
    Case("elgamal-256-grid", _elgamal("insecure256", "grid"), block=374, sample=374 * 374),
    Case(PRINTED_SECURE, _elgamal("schnorr3072", "naive"), sample=60),
    Case("elgamal-2048", _elgamal("schnorr2048"), sample=400),
    Case("elgamal-2048-grid", _elgamal("schnorr2048", "grid"), block=150, sample=150 * 150),
    Case("elgamal-3072", _elgamal("schnorr3072"), sample=200),
    Case("secp256k1", _elgamal("secp256k1"), sample=3_000),
    Case("secp256k1-grid", _elgamal("secp256k1", "grid"), block=374, sample=374 * 374),
    Case("paillier-2048", {"type": "paillier"}, block=16_384),
    Case("prss", {"type": "prss"}),
    Case("prss-drawn-sets", {"type": "prss"}, drawn=True),
    Case("rlwe-16k", {"type": "rlwe"}, block=16_384),
    Case("rlwe-32k", {"type": "rlwe"}, block=32_768),
    Case("rlwe", {"type": "rlwe"}, block=None),
    Case("pairwise", {"type": "pairwise"}, block=None),
    Case("plain", PLAIN, block=None),
)
"""In the order of the tables: the printed protocol first, then what hides likewise, ever faster."""

NAMES: Final = (*(case.name for case in CASES), FLOAT32)


def chosen(wanted: Sequence[str], source: str, names: Sequence[str] = NAMES) -> Sequence[str]:
    """Give the names that are wanted; all, if none is.

    Args:
        wanted: names, or beginnings of names. What is a name stands for itself alone.
        source: the command, for the error.
        names: what there is to choose from.

    Returns:
        The names, in the order of `names`.

    Raises:
        ConfigError: no name is so, or begins so.
    """
    found: set[str] = set()
    for each in wanted:
        meant = {each} if each in names else {name for name in names if name.startswith(each)}
        if not meant:
            near = get_close_matches(each, names, 1)
            guess = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError([f"{each!r} begins none of {', '.join(names)}{guess}"], source)
        found |= meant
    return [name for name in names if not wanted or name in found]


def distinct(cases: Sequence[Case], parameters: int) -> tuple[Sequence[Case], Mapping[str, str]]:
    """Leave out cases that are another one, since their blocks are cut to a small model's size.

    Args:
        cases: what is to be measured.
        parameters: of the model.

    Returns:
        The other cases, in order; for the name of each that is left out, the name of the case that it is.
    """
    first: dict[tuple[str, int, bool], Case] = {}
    # A name that promises a larger block than there is gives way.
    for case in sorted(cases, key=lambda case: (case.block or 0) > parameters):
        first.setdefault(_measured(case, parameters), case)
    kept = [case for case in cases if first[_measured(case, parameters)] is case]
    same = {case.name: first[_measured(case, parameters)].name for case in cases if case not in kept}
    return kept, same


def _measured(case: Case, parameters: int) -> tuple[str, int, bool]:
    return str(sorted(case.table.items())), case.block_of(parameters), case.drawn


def who_opens(settings: SchemeSettings, scheme: ThresholdEncryption, workers: int) -> str:
    """Say in a few words who learns a sum."""
    if settings.security_bits is None:
        return "the manager reads all"
    if scheme.members_first:
        return "all members together"
    return f"any {scheme.threshold} of {workers}"


def on_dropout(scheme: ThresholdEncryption) -> str:
    """Say in a few words what follows when a member is lost whose upload was due or has come."""
    if scheme.members_first:
        return "its sets are missed"
    if not scheme.threshold:
        return "nobody needs to answer"
    return f"another answers, if {scheme.threshold} remain"


def requirements(case: Case, *, parameters: int, workers: int, threshold: int) -> Requirements:
    """Give what a case's scheme must fulfil: active sets of m members, opened by m workers."""
    return Requirements(
        workers=workers,
        threshold=threshold,
        members=threshold,
        block=case.block_of(parameters),
        fixed_point=GRID,
    )
