"""`mdl infer`: ask a model that stays shared."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mdl.cli.options import Quiet
from mdl.cli.shared import data_dir, experiment_of, load_experiment, refuse_file, tell
from mdl.errors import ConfigError
from mdl.exits import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from mdl.config import Experiment


def infer(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run of quantised-mpc.")],
    asker: Annotated[
        int, typer.Option(help="The worker that asks, and alone learns the answers.", min=1)
    ] = 1,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Its images: an .npz like those to train on, x_test is enough. Without, its test set.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(help="Ask of as many images at most; 0 for all.", min=0)] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", callback=refuse_file, help="Where to make the answers' folder, if not in RUN."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Have images classified by a model that its parties hold in shares: nobody sees the model or the images.

    All parties of the run start again with the shares of its last epoch. The worker that asks shares its
    images; the scores are opened to it alone, and written to answers.csv. Others learn how many images there
    are. Many answers tell much of a model: whoever may ask without limit can train one of its own on them.
    Ctrl-C stops all parties, and leaves nothing.

    [dim]Examples:[/dim]
      mdl run configs/mpc-quickstart.toml --set system.opening=none
      mdl infer runs/20260101-120000-mpc-quickstart --asker 2
      mdl infer runs/20260101-120000-mpc-quickstart --asker 2 --images mine.npz
    """
    try:
        _ask(run, asker, images, limit, out, quiet=quiet)
    except KeyboardInterrupt:
        tell("interrupted: nothing is answered")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _ask(run: Path, asker: int, images: Path | None, limit: int, out: Path | None, *, quiet: bool) -> None:
    """Put the question, and say how it was answered.

    Raises:
        KeyboardInterrupt: it was stopped; nothing of it is left.
        Exit: it failed; what the parties logged is left.
    """
    from mdl.answers import ANSWERS, check_question, right_of
    from mdl.folder import locked
    from mdl.launcher import launch
    from mdl.learning.sizes import check_data, models_of
    from mdl.orders import Question
    from mdl.progress import human_bytes

    experiment = load_experiment(experiment_of(run, "mdl infer"), None, None)
    experiment = experiment.model_copy(update={"alone": False})
    epoch = _last_epoch(experiment, run, asker)
    if images is not None:
        [sized, *_] = models_of(experiment.learning, data_dir(), workers=experiment.workers).values()
        check_question(images, tuple(sized.shape), sized.classes)
    check_data(experiment.learning, data_dir(), workers=experiment.workers)
    with locked(run):  # not while it trains
        pass
    question = Question(asker, str(images.resolve()) if images else "", limit, str(run), epoch)

    def watch(event: Mapping[str, Any]) -> None:
        if event["kind"] == "starting" and not quiet:
            tell(event["what"])

    with _answers_folder(out or run) as new, locked(new) as target:
        summary = launch(experiment, target, data_dir=data_dir(), watch=watch, question=question)
        if summary["status"] == "interrupted":
            raise KeyboardInterrupt
    if summary["status"] != "completed":
        tell(f"{summary['status']}: {summary['reason']}")
        raise typer.Exit(int(summary["exit_code"]))
    right = right_of(target / ANSWERS)
    known = "" if right is None else f"; {right[0]:,} of {right[1]:,} are as labelled"
    seconds, sent = summary["seconds"]["total"], sum(summary["bytes"].values())
    typer.echo(f"{target / ANSWERS}{known}")
    if not quiet:
        tell(f"worker {asker} was answered in {seconds:.1f} s; {human_bytes(sent)} were sent over all")


@contextmanager
def _answers_folder(place: Path) -> Iterator[Path]:
    """Make the folder of the answers; it goes if Ctrl-C comes before they are there."""
    from mdl.folder import new_folder

    target = new_folder(place, "answers", datetime.now().astimezone())
    try:
        yield target
    except KeyboardInterrupt:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _last_epoch(experiment: "Experiment", run: Path, asker: int) -> int:
    """Find the last epoch of which all parties have their shares."""
    from mdl.folder import SUMMARY, FileJournal
    from mdl.system import Answering

    system, summary = experiment.system, run / SUMMARY
    if not isinstance(system, Answering):
        models = ", ".join(path.name for path in sorted(run.glob("model*.safetensors")))
        said = f"{run} is a run of {system.type}, and only what quantised-mpc trains can be asked in secret"
        raise ConfigError(
            [f"{said}; its model lies there in the clear: {models}" if models else said], "mdl infer"
        )
    if asker > experiment.workers:
        raise ConfigError([f"{asker}, but there are workers 1 to {experiment.workers}"], "mdl infer --asker")
    if summary.exists() and json.loads(summary.read_bytes()).get("clock") == "virtual":
        raise ConfigError(
            [f"{run} was simulated, and a simulation keeps no shares: train with mdl run, then ask"],
            "mdl infer",
        )
    kept = (FileJournal(run, party).epochs("model") for party in system.roster(experiment.workers))
    common = set.intersection(*map(set, kept))
    if not common:
        raise ConfigError([f"{run} holds no epoch of which all parties have their shares"], "mdl infer")
    return max(common)
