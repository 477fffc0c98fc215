"""The `[system]` table of SSDDL."""

import builtins
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated, Final, Literal, Self

from annotated_types import Ge, Gt, Le
from pydantic import model_validator

from mdl.party import MANAGER, Message, PartyId
from mdl.schemes.fixed_point import MAX_FRACTION_BITS, FixedPoint, what_fits
from mdl.schemes.vector_sharing import Additive, Shamir, VectorSharing
from mdl.settings import Settings
from mdl.system import Crypto, Randomness, star
from mdl.systems.secret_shared import messages as say
from mdl.systems.secret_shared.credentials import deal

_SMALLEST_GROUP: Final = 3
WORKERS_LIMIT: Final = 64

Mode = Literal["prng", "shamir", "additive", "plain"]


class SecretSharedSettings(Settings):
    """The `[system]` table for `type = "secret-shared"`.

    Attributes:
        mode: how updates are hidden. ``"prng"``: masks from secrets of pairs, which cancel; an upload is as
            large as the update. ``"additive"``: a share to each member, all open. ``"shamir"``: a share to
            each member, `threshold` open. ``"plain"``: not at all, the yardstick.
        group: g, how many workers train in an epoch; ``"all"`` who are there.
        minimum_group: no update is summed with fewer than so many in all.
        threshold: τ, with ``"shamir"`` alone: how many members' shares open a sum. 2τ is above g and the
            minimum_group - 2 members who may collude, so that no two sums of one epoch find enough who
            answer. ``"auto"``: the least such τ.
        range: an entry of an update saturates at ± this (and is counted).
        fraction_bits: binary digits kept after the point.
        timeout_seconds: how long the server waits for a worker in each step, training included.
        insecure: allow groups of two.
    """

    type: Literal["secret-shared"] = "secret-shared"
    mode: Mode = "prng"
    group: Literal["all"] | Annotated[int, Ge(2)] = "all"
    minimum_group: Annotated[int, Ge(2)] = _SMALLEST_GROUP
    threshold: Literal["auto"] | Annotated[int, Ge(2)] = "auto"
    range: Annotated[float, Gt(0)] = 16.0
    fraction_bits: Annotated[int, Ge(1), Le(MAX_FRACTION_BITS)] = 16
    timeout_seconds: Annotated[float, Gt(0)] = 300.0
    insecure: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.threshold != "auto" and self.mode != "shamir":
            raise ValueError('threshold goes with mode = "shamir" alone')
        FixedPoint(self.range, self.fraction_bits)  # raises ValueError if there is no such grid
        return self

    @property
    def fixed_point(self) -> FixedPoint:
        """The encoding of updates as integers."""
        return FixedPoint(self.range, self.fraction_bits)

    @property
    def shares(self) -> bool:
        """Whether members hand shares to one another."""
        return self.mode in ("shamir", "additive")

    def size(self, workers: int) -> int:
        """Give g in a run with n = `workers`."""
        return workers if self.group == "all" else self.group

    def openers(self, workers: int) -> int:
        """Give τ in a run with n = `workers`."""
        least = (self.size(workers) + self.minimum_group - 2) // 2 + 1
        return least if self.threshold == "auto" else self.threshold

    def least(self, workers: int) -> int:
        """Give how many members an epoch needs in a run with n = `workers`."""
        openers = self.openers(workers) if self.mode == "shamir" else 0
        return max(self.minimum_group, openers)

    def sharing(self, workers: int) -> VectorSharing:
        """Give how vectors are shared; where masks cancel, it is their addition that is used."""
        return Shamir(self.openers(workers)) if self.mode == "shamir" else Additive()

    @property
    def crypto(self) -> Crypto:
        """What takes milliseconds is done in a thread."""
        return "none" if self.mode == "plain" else "thread"

    @property
    def own_pace(self) -> bool:
        """An epoch is everybody's."""
        return False

    @property
    def tolerates_loss(self) -> bool:
        """The run goes on while a smallest group remains; an epoch may be missed."""
        return True

    def problems(self, workers: int) -> Sequence[str]:
        """See `System`."""
        size, found = self.size(workers), []
        if workers > WORKERS_LIMIT:
            return [f"workers: {workers}, but at most {WORKERS_LIMIT} are supported"]
        if size > workers:
            found.append(f"system.group: {size} of n = {workers} workers can never be a group")
        if self.minimum_group > size:
            found.append(f"system.minimum_group: {self.minimum_group}, but a group has g = {size} members")
        colluding = self.minimum_group - 2
        if self.mode == "shamir" and not size + colluding < 2 * self.openers(workers) <= 2 * size:
            found.append(
                f"system.threshold: τ = {self.openers(workers)}; of g = {size} members {colluding} may "
                f"answer twice (minimum_group - 2), so τ must be {(size + colluding) // 2 + 1} to {size}, or "
                "two sums of one epoch could be opened"
            )
        if self.minimum_group < _SMALLEST_GROUP and not self.insecure and self.mode != "plain":
            found.append(
                f"system.minimum_group: in a group of {self.minimum_group} each finds the other's update by "
                f"subtraction; use at least {_SMALLEST_GROUP}, or say system.insecure = true to study it"
            )
        limit, reached = self.sharing(workers).sum_limit, self.fixed_point.bound(size)
        if reached > limit:
            fits = what_fits(self.fixed_point, size, limit)
            found.append(f"system.range: sums reach {reached:,}, beyond {limit:,}: {fits}")
        return found

    def terms(self, workers: int) -> Mapping[str, str]:
        """See `System`."""
        values = {
            f"system.{key}": value for key, value in self.model_dump(exclude={"timeout_seconds"}).items()
        }
        values |= {"group g": self.size(workers), "threshold tau": self.openers(workers)}
        return {name: str(value) for name, value in values.items()}

    def roster(self, workers: int) -> Sequence[PartyId]:
        """The server, as manager, and the workers."""
        return range(workers + 1)

    def links(self, workers: int) -> Sequence[tuple[PartyId, PartyId]]:
        """A star; where members hand shares to one another, every two workers too."""
        mesh = combinations(range(1, workers + 1), 2) if self.shares else ()
        return [*star(workers), *mesh]

    def receives(self, party: PartyId) -> Sequence[builtins.type[Message]]:
        """See `System`. Nothing that a worker sends carries a plain value, `mode = "plain"` apart."""
        if party == MANAGER:
            return (say.Announcement, say.Declined, say.Held, say.Upload)
        told = (say.Agree, say.Announcements, say.Begin, say.Global, say.Open, say.Ended, say.Finish)
        return (*told, say.Basis, say.Share) if self.shares else told

    def deal(self, workers: int, *, rng: Randomness) -> Mapping[PartyId, bytes]:
        """Be the trusted authority: the seed of the groups and a signing key, to each worker."""
        return deal(range(1, workers + 1), rng=rng)
