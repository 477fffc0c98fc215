"""All attacks on one experiment: against the protocols as printed, and against what the experiment runs."""

import math
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
from gmpy2 import mpz, powmod

from mdl.audit import deviations
from mdl.audit.collusion import (
    Guesses,
    Secrets,
    dictionary,
    differences,
    single_gradients,
    sums_below_threshold,
)
from mdl.audit.deviations import System
from mdl.audit.runs import run
from mdl.audit.views import (
    PARAMETERS,
    Encrypted,
    Part,
    Stage,
    View,
    printed_coordinated,
    printed_on_arrival,
    staged,
)
from mdl.errors import ConfigError, ProtocolError
from mdl.party import PartyId
from mdl.schemes.elgamal import ElGamal
from mdl.schemes.encodings import capacity_problems, encoding
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.groups import MODULAR_NAMES, modular_group
from mdl.schemes.modular import ModularGroup, SchnorrGroup
from mdl.systems import dynamic
from mdl.vectors import Integers

WRONG_CANDIDATES: Final = 100
"""Wrong gradients in the attacker's dictionary, beside the right ones."""

Deviation: TypeAlias = Callable[[Stage, System], Coroutine[Any, Any, Guesses]]

COALITIONS: Final = 8
"""So many coalitions of a size, about, are tried on a run."""

Truth: TypeAlias = Mapping[Part, Integers]
"""What each contribution holds."""


@dataclass(frozen=True)
class Example:
    """Some encoded values of one victim: what they are, and what the attack says they are."""

    victims: tuple[PartyId, ...]
    true: tuple[int, ...]
    recovered: tuple[int, ...]


@dataclass(frozen=True)
class Result:
    """How an attack went against one protocol: in words, how many guesses were right, and one of them."""

    said: str
    right: int = 0
    example: Example | None = None


@dataclass(frozen=True)
class Finding:
    """One attack.

    Attributes:
        attack: its name.
        who: mounts it.
        printed: how it went against the protocol as printed.
        ours: how it went against the experiment's.
        withstood: whether docs/security.md claims that the experiment withstands it.
    """

    attack: str
    who: str
    printed: Result
    ours: Result
    withstood: bool = True

    @property
    def fails_claim(self) -> bool:
        """Whether it opens what docs/security.md says it does not."""
        return self.withstood and self.ours.right > 0


def findings(system: System, workers: int) -> Iterator[Finding]:
    """Mount the attacks one after the other.

    Raises:
        ConfigError: nothing is hidden, or every worker holds the key: there is nothing to attack.
    """
    scheme = system.build_scheme(workers)
    if not isinstance(scheme, ElGamal):
        raise ConfigError([f"system.scheme.type: {_unattacked(system.scheme.type)}"])
    if scheme.form != "single":
        raise ConfigError(['system.scheme.form: the attacks are on the form "single"'])
    if scheme.group not in MODULAR_NAMES:
        raise ConfigError([f"system.scheme.group: the attacks multiply integers; {scheme.group} has none"])
    if system.visibility_threshold(workers) == 1:
        raise ConfigError(["system.threshold: m = 1 hides nothing: every worker holds the key"])
    against = _Attacks(system, workers, scheme)
    if workers > against.m:
        yield against.late_arrivals()
        yield against.successive_sums()
    for count in against.outsiders():
        yield against.last_arrivals(count)
    if against.m >= 3:
        yield against.sum_below_threshold()
    if workers > against.m:
        yield against.second_opening()
    yield against.textbook()
    yield from against.deviating_manager()


def is_printed(system: System) -> bool:
    """Tell whether the experiment itself runs the printed protocol."""
    return isinstance(system, dynamic.Dynamic) and system.mode == "paper"


class _Attacks:
    """One experiment's keys, views and run; each method mounts one attack, on the print and on ours."""

    def __init__(self, system: System, workers: int, scheme: ElGamal) -> None:
        self._system, self._workers = system, workers
        self.m = system.visibility_threshold(workers)
        self._last = min(workers, self.m + 2)
        self._scheme = _fitting(scheme, self._last)
        self._stage = staged(replace(self._scheme, threshold=self.m), workers)
        self._endless = printed_on_arrival(self._stage, range(1, self._last + 1))
        self._closing = printed_on_arrival(self._stage, range(1, self.m + 1))
        self._run = run(system, workers)
        self._uploads = sum(len(view.uploads) for view in self._run.views)

    def late_arrivals(self) -> Finding:
        """By shares of single masks."""
        return Finding(
            "arrivals after the m-th",
            "manager",
            self._on_print(single_gradients(self._endless, {}), f"{self._last} arrive, no set closes"),
            self._on_run(lambda view: [single_gradients(view, {})]),
        )

    def successive_sums(self) -> Finding:
        """Without cryptography: what is published tells."""
        return Finding(
            "difference of two published sums",
            "manager",
            self._on_print(differences(self._endless.sums), f"{self._last} arrive, no set closes"),
            self._on_run(lambda view: [differences(view.sums)]),
        )

    def outsiders(self) -> list[int]:
        """How many colluding workers from outside the set are tried: one, and as many as count."""
        most = min(self.m - 1, self._workers - self.m)
        return sorted({count for count in (1, most) if 1 <= count <= most})

    def last_arrivals(self, count: int) -> Finding:
        """So many outsiders complete the shares of the last arrivals."""
        last = range(self._workers - count + 1, self._workers + 1)
        found = single_gradients(self._closing, self._stage.secrets(last))
        return Finding(
            self._last_named(count),
            _with_outsiders(count),
            self._on_print(found, "sets close at m"),
            self._on_run(lambda view: [single_gradients(view, c) for c in self._coalitions(count)]),
        )

    def _last_named(self, count: int) -> str:
        if count == 1:
            return "the m-th arrival"
        # The first arrival hands over a share too: the sum so far is its own.
        return "every arrival" if count == self.m - 1 else f"the last {count} arrivals"

    def sum_below_threshold(self) -> Finding:
        """One outsider completes the shares of the sum before the last."""
        found = sums_below_threshold(self._closing, self._stage.secrets([self._workers]), self.m)
        return Finding(
            "sum below the threshold",
            _with_outsiders(1),
            self._on_print(found, f"after {self.m - 1} arrivals"),
            self._on_run(
                lambda view: [sums_below_threshold(view, c, self.m) for c in self._coalitions(1)], "sums"
            ),
        )

    def second_opening(self) -> Finding:
        """The same ciphertexts again without one, as though that one had not answered."""
        view = printed_coordinated(self._stage, [range(1, self.m + 2), range(1, self.m + 1)])
        return Finding(
            "second opening without one member",
            "manager, again",
            self._on_print(differences(view.sums), "∝MDL^c"),
            Result("does not arise: nobody is asked after the arrival")
            if is_printed(self._system)
            else self._deviated(deviations.second_answer),
        )

    def textbook(self) -> Finding:
        """Gradients encoded outside the subgroup, as exp(gradient)."""
        chosen, uploads, truth = _textbook(self._stage)
        factors = {v: _textbook_factor(v, self._scheme.fixed_point) for v in self._candidates(truth)}
        read = _right(dictionary(chosen, uploads, factors), truth)
        ours: list[Hit] = []
        for block, view in enumerate(self._run.views):
            own = encoding(view.scheme.encoding, modular_group(view.scheme.group), view.scheme.fixed_point, 1)
            candidates = self._candidates(self._run.truth[block])
            known = dict(zip(candidates, own.elements(np.array(candidates)), strict=True))
            guesses = dictionary(modular_group(view.scheme.group), view.uploads, known)
            ours += _right(guesses, self._run.truth[block], block)
        return Finding(
            "c^q of a ciphertext, looked up",
            "who reads a link",
            _result(read, f"of {len(uploads)} (exp(gradient) in {chosen.name})"),
            _result(ours, f"of {self._uploads} gradients"),
        )

    def _candidates(self, truth: Truth) -> list[int]:
        """The right gradients, among others."""
        limit = min(self._scheme.fixed_point.limit, 1 << self._scheme.fixed_point.fraction_bits)
        wrong = [self._stage.rng.below(2 * limit + 1) - limit for _ in range(WRONG_CANDIDATES)]
        right = [int(value) for values in truth.values() for value in values]
        return sorted({*wrong, *right})

    def deviating_manager(self) -> Iterator[Finding]:
        """What the assumption of a semi-honest manager is worth."""
        asked = deviations.raised_hint(self._stage)
        plainly = self._on_print(asked, "∝MDL^c: it raises whatever it is shown")
        attacks: list[tuple[str, str, Deviation, bool]] = [
            ("forged lists of hints", "deviating manager", deviations.forged_hints, self.m >= 3),
            (
                "one hint made of the others'",
                "deviating manager + 1 inside",
                deviations.rogue_hint,
                self.m >= 3,
            ),
            (
                "two sets, told to two halves",
                "deviating manager" + (" + 1 inside" if isinstance(self._system, dynamic.Dynamic) else ""),
                deviations.two_openings,
                self._workers >= 2 * self._scheme.threshold,
            ),
        ]
        for attack, who, mount, possible in attacks:
            if possible and not is_printed(self._system):
                yield Finding(attack, who, plainly, self._deviated(mount), withstood=False)

    def _on_print(self, guesses: Guesses, where: str) -> Result:
        right = _right(guesses, self._stage.truth)
        if not right:
            return Result(f"nothing ({where})")
        return Result(f"opens {_named(right)} ({where})", len(right), _example(right))

    def _on_run(self, attack: Callable[[View], Iterable[Guesses]], what: str = "") -> Result:
        """Mount an attack on every block's view of the run."""
        right = [
            hit
            for block, view in enumerate(self._run.views)
            for guesses in attack(view)
            for hit in _right(guesses, self._run.truth[block], block)
        ]
        return _result(right, what or f"of {self._uploads} gradients")

    def _coalitions(self, count: int) -> list[Secrets]:
        """So many workers beside each other, in a circle; eight coalitions or a few more."""
        circle = [*range(1, self._workers + 1)] * 2
        starts = range(0, self._workers, max(1, self._workers // COALITIONS))
        return [self._run.secrets(circle[first : first + count]) for first in starts]

    def _deviated(self, mount: Deviation) -> Result:
        stage = staged(self._scheme, self._workers)
        try:
            guesses = deviations.play(lambda: mount(stage, self._system))
        except ProtocolError as refusal:
            return Result(refusal.what)
        right = _right(guesses, stage.truth)
        return Result(f"opens {_named(right)}" if right else "nothing", len(right), _example(right))


@dataclass(frozen=True)
class Hit:
    """A guess that is true."""

    parts: frozenset[Part]
    block: int
    true: tuple[int, ...]
    guess: tuple[int, ...]

    @property
    def victims(self) -> tuple[PartyId, ...]:
        """Whose gradients are in it."""
        return tuple(sorted(worker for worker, _ in self.parts))


def _right(guesses: Guesses, truth: Truth, block: int = 0) -> list[Hit]:
    """Keep the guesses that are true: what these contributions hold adds up to them."""
    hits = []
    for parts, guess in guesses.items():
        total = np.sum([truth[part] for part in parts], axis=0)
        if np.array_equal(total, guess):
            hits.append(Hit(parts, block, tuple(total.tolist()), tuple(guess.tolist())))
    return hits


def _named(right: Sequence[Hit]) -> str:
    whose = ", ".join(" + ".join(map(str, hit.victims)) for hit in right)
    several = len(right) > 1 or len(right[0].parts) > 1
    return f"worker{'s' if several else ''} {whose}"


def _result(right: Sequence[Hit], what: str) -> Result:
    """Count the contributions that were opened, each once however many coalitions did."""
    found = list({(hit.parts, hit.block): hit for hit in right}.values())
    said = f"opens {len(found)}" if found else "nothing: 0"
    return Result(f"{said} {what}", len(found), _example(found))


def _example(right: Sequence[Hit]) -> Example | None:
    """Show up to four values of the victims of whom most is known."""
    if not right:
        return None
    [(victims, _)] = Counter(hit.victims for hit in right).most_common(1)
    theirs = [hit for hit in right if hit.victims == victims]
    true = [value for hit in theirs for value in hit.true]
    guess = [value for hit in theirs for value in hit.guess]
    return Example(victims, tuple(true[:PARAMETERS]), tuple(guess[:PARAMETERS]))


def _textbook(stage: Stage) -> tuple[ModularGroup, Mapping[Part, Encrypted], Truth]:
    """Encrypt as printed, M = exp(gradient) and c = M * h^r, in a Schnorr group: p = 2kq + 1 "for some k"."""
    chosen = modular_group(stage.scheme.group)
    if not isinstance(chosen, SchnorrGroup):
        chosen = modular_group("insecure_schnorr96" if chosen.insecure else "schnorr2048")
    grid, rng, p = stage.scheme.fixed_point, stage.rng, chosen.p
    h = powmod(chosen.g, rng.below(int(chosen.q)), p)
    limit = min(grid.limit, 1 << grid.fraction_bits)
    truth: dict[Part, Integers] = {}
    uploads: dict[Part, Encrypted] = {}
    for worker in stage.gradients:
        values = np.array([rng.below(2 * limit + 1) - limit for _ in range(PARAMETERS)], np.int64)
        nonces = [rng.below(chosen.nonce_bound) for _ in range(PARAMETERS)]
        bodies = [
            _textbook_factor(int(v), grid) * powmod(h, r, p) % p for v, r in zip(values, nonces, strict=True)
        ]
        truth[worker, 1] = values
        uploads[worker, 1] = Encrypted(bodies, [powmod(chosen.g, r, p) for r in nonces])
    return chosen, uploads, truth


def _textbook_factor(value: int, grid: FixedPoint) -> mpz:
    """M = round(2^F exp(x)); with four bits more than the grid has, neighbours differ."""
    return mpz(round(math.ldexp(math.exp(math.ldexp(value, -grid.fraction_bits)), grid.fraction_bits + 4)))


def _fitting(scheme: ElGamal, members: int) -> ElGamal:
    """The scheme for sets as large as the print's, on a coarser grid if need be."""
    grid, chosen = scheme.fixed_point, modular_group(scheme.group)
    members = max(members, scheme.members_limit)
    while capacity_problems(scheme.encoding, chosen, grid, members):
        if grid.fraction_bits == 0 or grid.limit < 2:
            raise ConfigError([f"system.scheme: {scheme.group} is too small for sums of {members}"])
        grid = FixedPoint(grid.range, grid.fraction_bits - 1)
    return replace(scheme, block=1, fixed_point=grid, members_limit=members)


def _with_outsiders(count: int) -> str:
    return f"manager + {count} outsider{'s' if count > 1 else ''}"


def _unattacked(scheme: str) -> str:
    if scheme == "plain":
        return "'plain' hides nothing that could be attacked"
    return (
        f'the attacks are on the printed exchange, which is ElGamal\'s; run them with "elgamal", or see '
        f"docs/security.md for what is claimed of {scheme!r}"
    )
