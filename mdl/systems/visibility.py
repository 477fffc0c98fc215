"""What the variants of ∝MDL have in common: ρ-visibility, who contributes what, what hides it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Final, Literal, Self

import numpy as np
from annotated_types import Ge, Gt, Le
from pydantic import model_validator

from mdl.party import PartyId
from mdl.privacy.settings import AnyNoise, AnyPrivacy, NoNoise
from mdl.protocols import selection as select
from mdl.protocols.contribution import Encoder
from mdl.protocols.rows import ROW_LIMIT_BYTES
from mdl.protocols.selection import Selection
from mdl.protocols.sets import WORKERS_LIMIT
from mdl.schemes.fixed_point import MAX_FRACTION_BITS, FixedPoint
from mdl.schemes.settings import AnyScheme, PrssSettings, Requirements
from mdl.schemes.settings.rlwe import SMALLEST_BLOCK
from mdl.schemes.threshold import ThresholdEncryption
from mdl.settings import Settings
from mdl.system import Crypto, Randomness, star
from mdl.systems.credentials import deal_threshold
from mdl.systems.grids import grids
from mdl.vectors import Blocks

_NARROW: Final = FixedPoint(1.0, 1)
"""A grid on which no sum is too large: what is wrong with a scheme there has nothing to do with the grid."""

_ROOMY: Final = ("prss", "rlwe", "paillier")
"""Schemes with room for large sums, by `type`: who needs it is told of them."""


class VisibilitySettings(Settings):
    """Keys of `[system]` that every variant of ∝MDL knows.

    Attributes:
        visibility: ρ in (0, 1]; or else `threshold`.
        threshold: m: how many workers must contribute before a block's sum may be opened.
        opening_threshold: how many must answer to open one (default m; never below it).
        share: the part of the blocks that each worker registers, k/t, or ``"minimum"`` for k* = ⌈m·t/n⌉.
        selection: ``"balanced"``: every block gets equally many workers and none is missed; ``"random"``:
            each worker draws for itself, as in the paper; ``"magnitude"`` (dynamic only): each takes the
            blocks in which its gradient is largest, and shows by its uploads which these are.
        block: parameters that share an active set; 1 is the paper's case.
        range: what is contributed saturates at ± this (and is counted). ``"auto"`` is 16, and with noise what
            the clip and the noise need.
        fraction_bits: binary digits kept after the point. ``"auto"`` is 12, and with noise as many, up to 12,
            as the scheme has room for.
        insecure: allow what gives the protection away (m below 3, groups below 112 bits), for study.
        scheme: how gradients are hidden: by default the fastest that any m workers open, ``"rlwe"`` for
            blocks that it suits and ``"prss"`` for smaller ones.
        privacy: noise that each worker adds to its gradient before it is encrypted; by default none.
    """

    visibility: Annotated[float, Gt(0), Le(1)] | None = None
    threshold: Annotated[int, Ge(1)] | None = None
    opening_threshold: Annotated[int, Ge(1)] | None = None
    share: Literal["minimum"] | Annotated[float, Gt(0), Le(1)] = "minimum"
    selection: Selection = "balanced"
    block: Annotated[int, Ge(1)] = 1
    range: Literal["auto"] | Annotated[float, Gt(0)] = "auto"
    fraction_bits: Literal["auto"] | Annotated[int, Ge(1), Le(MAX_FRACTION_BITS)] = "auto"
    insecure: bool = False
    scheme: AnyScheme = PrssSettings()
    privacy: AnyPrivacy = NoNoise()

    @model_validator(mode="before")
    @classmethod
    def _fastest_scheme(cls, table: object) -> object:
        if isinstance(table, dict) and "scheme" not in table:
            block = table.get("block")
            if isinstance(block, int) and block >= SMALLEST_BLOCK:
                return {**table, "scheme": {"type": "rlwe"}}
        return table

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.visibility is None) == (self.threshold is None):
            given = "" if self.visibility is None else ", not both"
            raise ValueError(f"give either visibility (ρ, as 0.5) or threshold (m, as 4){given}")
        self._grids()  # raises ValueError if there is no such grid
        return self

    def visibility_threshold(self, workers: int) -> int:
        """Give m."""
        if self.threshold is not None:
            return self.threshold
        assert self.visibility is not None
        return select.threshold_of(self.visibility, workers)

    def noisy_members(self, workers: int) -> float:
        """Give how many workers' noises are averaged where the fewest are: m."""
        return self.visibility_threshold(workers)

    def openers(self, workers: int) -> int:
        """Give the number of workers that it takes to open a sum."""
        if self.scheme.members_first:
            return self.visibility_threshold(workers)
        return self.opening_threshold or self.visibility_threshold(workers)

    def contributors(self, workers: int) -> int:
        """Give the number of workers that balanced selection puts on a block."""
        return min(workers, select.contributors(self.share, self.visibility_threshold(workers), workers))

    def largest_set(self, workers: int) -> int:
        """Give the size of the largest active set that can occur."""
        return self.contributors(workers) if self.selection == "balanced" else workers

    def blocks_each(self, workers: int, blocks: int) -> int:
        """Give k, the number of blocks that each worker draws under random selection."""
        if self.share == "minimum":
            return select.minimum_share(self.visibility_threshold(workers), blocks, workers)
        return int(np.ceil(self.share * blocks - 1e-9))

    def contributed_parameters(self, workers: int, parameters: int) -> int:
        """Give how many parameters a worker contributes in an epoch, while all n = `workers` are there.

        Where admission policies let some offer more and others less, it is the mean.
        """
        blocks = Blocks(parameters, self.block).count
        each = self.blocks_each(workers, blocks)
        if self.selection == "balanced":
            each = -(-self.contributors(workers) * blocks // workers)
        return min(each * self.block, parameters)

    @property
    def noise(self) -> AnyNoise | None:
        """The noise that is added, if any is."""
        return None if isinstance(self.privacy, NoNoise) else self.privacy

    def grid(self, workers: int) -> FixedPoint:
        """Give the encoding of gradients as integers, in a run with n = `workers`.

        Where `fraction_bits` is to be chosen for noise, it is the finest grid that the scheme has room for;
        the coarsest that does for the noise, if it has for none.
        """
        choice = self._grids()
        return choice[0] if len(choice) == 1 else _finest(self, workers)

    def _grids(self) -> list[FixedPoint]:
        return grids(self.range, self.fraction_bits, self.noise)

    def encoder(self, workers: int, blocks: Blocks, *, rng: Randomness) -> Encoder:
        """Make what encodes a worker's gradients, in a run with n = `workers`; noise comes from `rng`."""
        grid = self.grid(workers)
        return Encoder(blocks, grid, self.noise.mechanism(grid) if self.noise else None, rng)

    def build_scheme(self, workers: int) -> ThresholdEncryption:
        """Make the scheme for a run with n = `workers`."""
        return self.scheme.build(self.requirements(workers))

    def requirements(self, workers: int) -> Requirements:
        """Give what the scheme must fulfil in a run with n = `workers`."""
        return self._wanted(workers, self.grid(workers))

    def _wanted(self, workers: int, grid: FixedPoint) -> Requirements:
        return Requirements(
            workers=workers,
            threshold=self.openers(workers),
            members=self.largest_set(workers),
            block=self.block,
            fixed_point=grid,
        )

    def problems(self, workers: int) -> Sequence[str]:
        """See `System`."""
        m = self.visibility_threshold(workers)
        if workers > WORKERS_LIMIT:
            return [f"workers: {workers}, but at most {WORKERS_LIMIT} are supported"]
        if m > workers:
            return [f"system.threshold: m = {m} of n = {workers} workers can never be reached"]
        found = [*self._impossible(m, workers), *self._insecure(m), *self._capacity(workers)]
        return found + (self.noise.problems(self.grid(workers)) if self.noise else [])

    def _impossible(self, m: int, workers: int) -> list[str]:
        found = []
        if not m <= self.openers(workers) <= workers:
            found.append(
                f"system.opening_threshold: {self.openers(workers)} is not between m = {m} and n = {workers}"
            )
        if self.scheme.members_first and self.opening_threshold is not None:
            found.append(
                f"system.opening_threshold: with scheme.type = {self.scheme.type!r} nobody answers to open "
                "a sum: leave system.opening_threshold out"
            )
        if self.share != "minimum" and self.share * workers < m - 1e-9:
            found.append(
                f"system.share: {self.share:g} of the parameters each cannot give m = {m} of {workers}; "
                f'use at least {m / workers:.4g}, or "minimum"'
            )
        return found

    def _insecure(self, m: int) -> list[str]:
        if self.insecure:
            return []
        found = []
        if m <= 2:
            why = (
                "every worker would hold the key"
                if m == 1
                else "of two, each finds the other's by subtraction"
            )
            found.append(
                f"system.threshold: m = {m} protects nobody's gradient ({why}); "
                "use m of at least 3 (and at least 3 workers), or say system.insecure = true to study it"
            )
        if self.noise and self.selection == "magnitude":
            found.append(
                'system.selection: "magnitude" shows where the gradient is large, which no noise covers; use '
                '"random", or say system.insecure = true to study it'
            )
        if self.scheme.insecure:
            found.append(
                "system.scheme: it has less than 112 bits of security; "
                "choose another, or say system.insecure = true to study it"
            )
        return found

    def _capacity(self, workers: int) -> list[str]:
        wanted = self.requirements(workers)
        problems = self.scheme.problems(wanted)
        if (
            problems
            and len(self._grids()) > 1
            and not self.scheme.problems(replace(wanted, fixed_point=_NARROW))
        ):
            others = ", ".join(f'"{each}"' for each in _ROOMY if each != self.scheme.type)
            return [
                f"system.privacy: with noise values reach ±{wanted.fixed_point.range:.4g}; even with "
                f"{wanted.fixed_point.fraction_bits} fraction bits, the fewest that suit the clip, sums "
                f"are too large for scheme.type = {self.scheme.type!r}: raise system.privacy.epsilon (less "
                f"noise), take another scheme ({others}), or set system.range"
            ]
        return [f"system.scheme: {problem}" for problem in problems] or self._row_size(workers)

    def _row_size(self, workers: int) -> list[str]:
        """A block is never divided among messages, so what is sent of one must fit a message."""
        scheme = self.build_scheme(workers)
        shown = scheme.shown_bytes * self.largest_set(workers)
        largest = max(shown, scheme.share_bytes, scheme.body_bytes + scheme.hint_bytes, 4 * self.block)
        if largest <= ROW_LIMIT_BYTES:
            return []
        return [
            f"system.block: {self.block} parameters need {largest:,} bytes in one message, "
            f"which holds {ROW_LIMIT_BYTES:,}; use at most {self.block * ROW_LIMIT_BYTES // largest}"
        ]

    def agreed(self, workers: int) -> Mapping[str, str]:
        """Give the terms both ends of a link must have in common."""
        told = {"timeout_seconds", "visibility", "threshold", "opening_threshold", "scheme", "privacy"}
        values = {f"system.{key}": value for key, value in self.model_dump(exclude=told).items()}
        values |= {f"system.scheme.{key}": value for key, value in self.scheme.model_dump().items()}
        values |= {f"system.privacy.{key}": value for key, value in self.privacy.model_dump().items()}
        grid = self.grid(workers)
        values |= {"system.range": grid.range, "system.fraction_bits": grid.fraction_bits}
        values |= {"threshold m": self.visibility_threshold(workers), "openers": self.openers(workers)}
        return {name: str(value) for name, value in values.items()}

    @property
    def crypto(self) -> Crypto:
        """Processes for what takes seconds, a thread for what takes milliseconds."""
        if self.scheme.heavy:
            return "processes"
        return "none" if self.scheme.type == "plain" else "thread"

    @property
    def tolerates_loss(self) -> bool:
        """The run goes on as long as m workers remain."""
        return True

    def terms(self, workers: int) -> Mapping[str, str]:
        """See `System`."""
        return self.agreed(workers)

    def roster(self, workers: int) -> Sequence[PartyId]:
        """The manager and the workers."""
        return range(workers + 1)

    def links(self, workers: int) -> Sequence[tuple[PartyId, PartyId]]:
        """A star."""
        return star(workers)

    def deal(self, workers: int, *, rng: Randomness) -> Mapping[PartyId, bytes]:
        """Be the trusted authority (Algorithm 1): the public key to all, a share to each worker."""
        return deal_threshold(self.build_scheme(workers), self.roster(workers), rng=rng)


@lru_cache(maxsize=64)
def _finest(system: VisibilitySettings, workers: int) -> FixedPoint:
    """Give the finest of a system's grids on which the scheme can be built, or the coarsest."""
    *finer, coarsest = system._grids()
    return next(
        (grid for grid in finer if not system.scheme.problems(system._wanted(workers, grid))), coarsest
    )
