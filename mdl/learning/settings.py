"""The `[learning]` table of an experiment file. Free of torch, because the configuration imports it."""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from mdl.learning.privacy import AnyRecordPrivacy, NoRecordPrivacy
from mdl.party import PartyId
from mdl.privacy import record_level
from mdl.privacy.record_level import Sampling
from mdl.settings import Settings
from mdl.system import Optimiser, Recipe

NAMED_DATASETS: Final = ("digits", "mnist", "fashion-mnist", "svhn", "cifar10")
NAMED_MODELS: Final = (
    *("mlp", "cnn", "digits-mlp"),
    *("network-a", "network-b", "network-c", "network-d"),
    *("alexnet", "alexnet-falcon"),
    *("convnet", "convnet-relu", "digits-quadratic"),
)
WORKER: Final = "{worker}"
"""Stands for a worker's id in the path of its own file."""

PAPER_SAMPLE: Final = 0.6
"""Each worker of the paper holds random samples of 60 % of the training set (§VI-A)."""

USUAL_MOMENTUM: Final = 0.9

USUAL_SHARDS: Final = 2
"""Of McMahan et al., Communication-efficient learning of deep networks from decentralized data, §3."""

USUAL_SKEW: Final = 0.8

_TRAINING_SETS: Final = {
    "digits": 1_442,
    "mnist": 60_000,
    "fashion-mnist": 60_000,
    "svhn": 73_257,
    "cifar10": 50_000,
}
"""Examples of the named sets."""

_IMPORT_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class LearningSettings(Settings):
    """What is learnt, from which data, and how each worker trains.

    Attributes:
        dataset: a name of `NAMED_DATASETS`; or the path of an .npz archive with x_train, y_train, x_test,
            y_test; or such a path with ``{worker}`` in it: an archive per worker.
        model: a name of `NAMED_MODELS`, or the import path ``package.module:Name`` of a `torch.nn.Module`
            class or of a function that makes one; it is called with no arguments. None where each worker has
            its own.
        models: instead, a list of such names, one for each worker, which then also begins with parameters of
            its own; only in systems whose parties do not train one network together.
        learning_rate: λ.
        batch: examples per step. What remains at the end of an epoch is a smaller batch; a single example
            goes with the batch before where the model has batch normalisation.
        split: how the training set is shared out. ``sample``: each worker draws its own random samples,
            which overlap those of others; ``disjoint``: equal parts at random; ``dirichlet``: disjoint
            parts with skewed labels; ``shards``: disjoint parts of few labels each; ``classes``: disjoint
            parts, in each of which some classes outweigh the others; ``files``: an archive per worker,
            implied by ``{worker}`` and possible only with it.
        sample: the fraction of the training set that each worker draws, in (0, 1]; only for ``sample``, 0.6
            there.
        alpha: concentration of the Dirichlet distribution of each label over the workers; the smaller, the
            more skewed. Only for ``dirichlet``, and needed there.
        shards: how many each worker gets; only for ``shards``, 2 there.
        skew: classes are dealt out to the workers in turn; a worker gets this fraction of the examples of its
            own classes, and the others share the rest equally. In (0.5, 1]; only for ``classes``, 0.8 there.
        optimiser: the rule of one step: ``sgd``, ``momentum``, ``adam``, or ``amsgrad``, which is Adam with
            second moments that never shrink. Its state (velocity, moments) begins afresh each epoch, where
            parties train by themselves.
        momentum: in [0, 1), only for the optimiser ``momentum``, 0.9 there.
        local_steps: steps per epoch; none means one pass over the worker's own examples.
        privacy: whether single records are protected; see `mdl.learning.privacy`.
        train_limit: use only so many training examples, drawn at random by the experiment's seed.
        test_limit: likewise of the test set.
        data_dir: where named data sets lie.
        download: fetch a named data set that is missing.
    """

    dataset: str = "digits"
    model: str | None = "mlp"
    models: list[str] | None = None
    learning_rate: float = Field(default=0.01, gt=0)
    batch: int = Field(default=128, ge=1)
    split: Literal["sample", "disjoint", "dirichlet", "shards", "classes", "files"] = "sample"
    sample: float | None = Field(default=None, gt=0, le=1)
    alpha: float | None = Field(default=None, gt=0)
    shards: int | None = Field(default=None, ge=1)
    skew: float | None = Field(default=None, gt=0.5, le=1)
    optimiser: Optimiser = "sgd"
    momentum: float | None = Field(default=None, ge=0, lt=1)
    local_steps: int | None = Field(default=None, ge=1)
    privacy: AnyRecordPrivacy = NoRecordPrivacy()
    train_limit: int | None = Field(default=None, ge=1)
    test_limit: int | None = Field(default=None, ge=1)
    data_dir: str | None = None
    download: bool = False

    def own(self, party: PartyId) -> Self:
        """Give the settings by which a party makes its model.

        Where each worker has its own, a manager has nothing to train, and gets the first one's.
        """
        if self.models is None:
            return self
        return self.model_copy(update={"model": self.models[max(party, 1) - 1], "models": None})

    @property
    def kinds(self) -> Mapping[str, Self]:
        """The settings of each kind of network that workers have, by the network's name."""
        names = self.models or [self.model or ""]
        return {name: self.model_copy(update={"model": name, "models": None}) for name in names}

    @property
    def sampled_fraction(self) -> float:
        """The fraction each worker draws where `split` is ``sample``."""
        return PAPER_SAMPLE if self.sample is None else self.sample

    @property
    def shards_each(self) -> int:
        """The shards of a worker where `split` is ``shards``."""
        return USUAL_SHARDS if self.shards is None else self.shards

    @property
    def skew_of_own(self) -> float:
        """The fraction of its own classes' examples that a worker gets where `split` is ``classes``."""
        return USUAL_SKEW if self.skew is None else self.skew

    @property
    def momentum_factor(self) -> float:
        """The share of the velocity that a step keeps where `optimiser` is ``momentum``."""
        return USUAL_MOMENTUM if self.momentum is None else self.momentum

    def sampling(self, examples: int) -> Sampling:
        """Give how DP-SGD samples a worker's `examples`: `batch` of them a step, on average."""
        return record_level.sampling(examples, self.batch, self.local_steps)

    @property
    def recipe(self) -> Recipe:
        """How to train, for systems that do it themselves."""
        momentum = self.momentum_factor if self.optimiser == "momentum" else 0.0
        return Recipe(self.batch, momentum, self.local_steps, self.split != "files", self.optimiser)

    def examples_each(self, workers: int) -> int | None:
        """Give how many examples the worst-off of n = `workers` has; None where only the data tells."""
        pool = _TRAINING_SETS.get(self.dataset)
        if pool is None or self.split not in ("sample", "disjoint", "shards"):
            return None
        pool = min(pool, self.train_limit or pool)
        if self.split == "sample":
            return max(1, round(self.sampled_fraction * pool))
        shards = self.shards_each if self.split == "shards" else 1
        return shards * (pool // (shards * workers))

    @model_validator(mode="before")
    @classmethod
    def _a_file_per_worker_implies_the_split(cls, given: Any) -> Any:
        if isinstance(given, dict) and WORKER in str(given.get("dataset", "")):
            return {"split": "files", **given}
        return given

    @model_validator(mode="before")
    @classmethod
    def _models_of_their_own_leave_none_for_all(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("models") is not None:
            return {"model": None, **given}
        return given

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if self.dataset not in NAMED_DATASETS and not self.dataset.endswith(".npz"):
            raise ValueError(
                f"dataset {self.dataset!r} is none of {', '.join(NAMED_DATASETS)},"
                " nor the path of an .npz file"
            )
        if (self.model is None) == (self.models is None) or self.models == []:
            raise ValueError("give either model, one for all, or models, a list with one for each worker")
        for model in self.kinds:
            if model in NAMED_MODELS or _IMPORT_PATH.fullmatch(model):
                continue
            raise ValueError(
                f"model {model!r} is none of {', '.join(NAMED_MODELS)}, nor an import path"
                ' like "package.module:Name"'
            )
        return self

    @model_validator(mode="after")
    def _the_split_has_what_it_needs(self) -> Self:
        if (self.split == "files") != (WORKER in self.dataset):
            raise ValueError(
                'split = "files" goes with a dataset path that contains "{worker}", and only with it: '
                "each worker then has its own file, and there is nothing else to split"
            )
        if self.sample is not None and self.split != "sample":
            raise ValueError(f'sample is for split = "sample"; split is {self.split!r}')
        if self.alpha is not None and self.split != "dirichlet":
            raise ValueError(f'alpha is for split = "dirichlet"; split is {self.split!r}')
        if self.alpha is None and self.split == "dirichlet":
            raise ValueError('split = "dirichlet" needs alpha (0.1 is very skewed, 100 hardly)')
        if self.shards is not None and self.split != "shards":
            raise ValueError(f'shards is for split = "shards"; split is {self.split!r}')
        if self.skew is not None and self.split != "classes":
            raise ValueError(f'skew is for split = "classes"; split is {self.split!r}')
        if self.train_limit is not None and self.split == "files":
            raise ValueError(
                "train_limit is for one set shared out among workers; here each has its own file"
            )
        return self

    @model_validator(mode="after")
    def _the_optimiser_uses_what_is_set(self) -> Self:
        if self.momentum is not None and self.optimiser != "momentum":
            raise ValueError(f'momentum is for optimiser = "momentum"; optimiser is {self.optimiser!r}')
        return self

    @model_validator(mode="after")
    def _only_named_sets_are_fetched(self) -> Self:
        if self.download and (self.dataset not in NAMED_DATASETS or self.dataset == "digits"):
            raise ValueError(
                f"download is for named sets; {self.dataset!r} cannot be downloaded and need not be"
            )
        return self
