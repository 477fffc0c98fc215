"""What a run has spent of its workers' privacy, from what its parties report."""

from collections.abc import Mapping
from typing import Any, Final

from mdl.config import Experiment
from mdl.learning import privacy as records
from mdl.learning.privacy import DpSgd
from mdl.party import PartyId
from mdl.privacy import ldp, record_level
from mdl.privacy.ldp import Spent, mean_variance, quantity
from mdl.privacy.record_level import Guarantee, Sampling
from mdl.privacy.settings import AnyNoise, LaplaceNoise
from mdl.systems.visibility import VisibilitySettings

_REPEATED: Final = 2
"""Epochs of a worker that a resumed run repeats, at most (`mdl.launcher.resume_epochs`)."""


class Budget:
    """Counts what every worker has released, and says what that costs the one that released most.

    Two promises may be spent, each for itself: that of the noise on contributions (`mdl.privacy.ldp`), and
    that of single records by DP-SGD (`mdl.learning.privacy`).

    Args:
        experiment: what is run.

    Attributes:
        noised: values with noise in what workers contributed, of all workers and epochs that ended.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        system = experiment.system
        self._system = system if isinstance(system, VisibilitySettings) else None
        self._noise = self._system.noise if self._system else None
        private = experiment.learning.privacy
        self._private = private if isinstance(private, DpSgd) else None
        self._released: dict[PartyId, tuple[int, int]] = {}
        self._trained: dict[PartyId, tuple[int, int]] = {}
        self._alone: dict[PartyId, int] = {}
        self._in_doubt: dict[str, set[PartyId]] = {"noised": set(), "trained": set()}
        self._clipped = 0
        self.noised = 0

    def recorded(self, event: Mapping[str, Any]) -> None:
        """Take in a line of the metrics."""
        match event["kind"]:
            case "noised" as kind:
                self._released[event["party"]] = (event["contributions"], event["parameters"])
                self._in_doubt[kind].discard(event["party"])
            case "trained" as kind if "private_epochs" in event:
                self._trained[event["party"]] = (event["examples"], event["private_epochs"])
                self._in_doubt[kind].discard(event["party"])
            case "updated" if "noised" in event:
                self.noised += event["noised"]
                self._clipped += event["clipped"]
            case "resumed":
                # The lines of repeated epochs are gone. Each party's own count has them, and tells it next.
                for doubted in self._in_doubt.values():
                    doubted.update(range(self._experiment.workers + 1))
            case "evaluated" if event["model"] == "alone":
                # That model was trained on the same records, privately too; anew in a run that was taken up.
                self._alone[event["party"]] = self._alone.get(event["party"], 0) + event["epoch"]

    def brief(self) -> str | None:
        """Say in a few words what is spent so far; None if nothing is there to be spent."""
        said = []
        if self._noise is not None and self._released:
            worst = max((self._of_noise(self._noise, party) for party in self._released), key=_epsilon)
            if isinstance(self._noise, LaplaceNoise):
                said.append(
                    f"ε = {self._noise.epsilon:g} a parameter and epoch, {quantity(worst.epsilon)} in all"
                )
            else:
                said.append(f"ε = {quantity(worst.epsilon)} a worker")
        if self._private is not None and self._trained:
            bound = max(self._renyi(self._private, party) for party in self._trained)
            said.append(f"ε ≤ {quantity(bound)} a record at a worker")
        return ", ".join(said) or None

    def figures(self) -> dict[str, Any] | None:
        """Give it as it stands in ``summary.json``: ``noise`` and ``records``, as far as they apply."""
        found: dict[str, Any] = {}
        if self._noise is not None and self._released:
            found["noise"] = self._noise_figures(self._noise)
        if self._private is not None and self._trained:
            found["records"] = self._record_figures(self._private)
        return found or None

    def _noise_figures(self, noise: AnyNoise) -> dict[str, Any]:
        assert self._system is not None
        threshold = self._system.visibility_threshold(self._experiment.workers)
        spent, worker = max(
            ((self._of_noise(noise, party), party) for party in self._released),
            key=lambda each: each[0].epsilon,
        )
        of_one = {"epsilon_parameter_epoch": noise.epsilon} if isinstance(noise, LaplaceNoise) else {}
        return {
            "mechanism": noise.type,
            **of_one,
            "deviation": noise.deviation,
            "deviation_of_mean": mean_variance(noise, threshold) ** 0.5,
            "clipped_share": self._clipped / self.noised if self.noised else 0.0,
            "worker": worker,
            "contributions": self._contributions(worker),
            "parameters": self._released[worker][1],
            "epsilon": spent.epsilon,
            "delta": spent.delta,
            "way": spent.way,
            "said": str(spent),
        }

    def _of_noise(self, noise: AnyNoise, party: PartyId) -> Spent:
        contributions, parameters = self._released[party]
        # Only the product counts; a contribution may have fewer parameters than another.
        each = -(-parameters // contributions)
        return ldp.spent(noise, coordinates=each, epochs=self._contributions(party))

    def _contributions(self, party: PartyId) -> int:
        return self._released[party][0] + self._may_be_missing("noised", party)

    def _private_epochs(self, party: PartyId) -> int:
        epochs = self._trained[party][1] + self._may_be_missing("trained", party)
        return epochs + self._alone.get(party, 0)

    def _may_be_missing(self, kind: str, party: PartyId) -> int:
        return _REPEATED if party in self._in_doubt[kind] else 0

    def _record_figures(self, private: DpSgd) -> dict[str, Any]:
        def spent(party: PartyId) -> Guarantee:
            sampling, epochs = self._sampling(party), self._private_epochs(party)
            return records.spent(private, sampling, epochs=epochs, planned=self._experiment.epochs)

        worker = max(self._trained, key=lambda party: spent(party).epsilon)
        return {
            "mechanism": "dp-sgd",
            "clip": private.clip,
            "noise_multiplier": private.noise_over(self._experiment.epochs, self._sampling(worker)),
            "worker": worker,
            "examples": self._trained[worker][0],
            "epochs": self._private_epochs(worker),
            "epsilon": spent(worker).epsilon,
            "delta": private.delta,
        }

    def _renyi(self, private: DpSgd, party: PartyId) -> float:
        """Bound a worker's ε in little time, as progress needs it."""
        sampling = self._sampling(party)
        noise = private.noise_over(self._experiment.epochs, sampling)
        steps = self._private_epochs(party) * sampling.steps
        return record_level.renyi_epsilon(noise, sampling.rate, steps, private.delta)

    def _sampling(self, party: PartyId) -> Sampling:
        examples, _ = self._trained[party]
        return self._experiment.learning.sampling(examples)


def _epsilon(spent: Spent) -> float:
    return spent.epsilon
