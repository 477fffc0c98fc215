"""`mdl infer`: ask a model that stays shared."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mdl.cli.options import Quiet
from mdl.cli.shared import data_dir, experiment_of, load_experiment, refuse_file, tell
from mdl.errors import ConfigError

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

    [dim]Examples:[/dim]
      mdl run configs/mpc-quickstart.toml --set system.opening=none
      mdl infer runs/20260101-120000-mpc-quickstart --asker 2
      mdl infer runs/20260101-120000-mpc-quickstart --asker 2 --images mine.npz
    """
    from mdl.answers import ANSWERS, check_question, right_of
    from mdl.folder import locked, new_folder
    from mdl.launcher import launch
    from mdl.learning.sizes import check_data, model_of
    from mdl.orders import Question
    from mdl.progress import human_bytes

    experiment = load_experiment(experiment_of(run, "mdl infer"), None, None)
    experiment = experiment.model_copy(update={"alone": False})
    epoch = _last_epoch(experiment, run, asker)
    if images is not None:
        sized = model_of(experiment.learning, data_dir(), workers=experiment.workers)
        check_question(images, tuple(sized.shape), sized.classes)
    check_data(experiment.learning, data_dir(), workers=experiment.workers)
    with locked(run):  # not while it trains
        pass
    target = new_folder(out or run, "answers", datetime.now().astimezone())
    question = Question(asker, str(images.resolve()) if images else "", limit, str(run), epoch)
    said = {"starting", "stopping"} if not quiet else set()
    summary = launch(
        experiment,
        target,
        data_dir=data_dir(),
        watch=lambda event: tell(event.get("what", "stopping")) if event["kind"] in said else None,
        question=question,
    )
    if summary["status"] != "completed":
        tell(f"{summary['status']}: {summary['reason']}")
        raise typer.Exit(int(summary["exit_code"]))
    right = right_of(target / ANSWERS)
    known = "" if right is None else f"; {right[0]:,} of {right[1]:,} are as labelled"
    seconds, sent = summary["seconds"]["total"], sum(summary["bytes"].values())
    typer.echo(f"{target / ANSWERS}{known}")
    if not quiet:
        tell(f"worker {asker} was answered in {seconds:.1f} s; {human_bytes(sent)} were sent over all")


def _last_epoch(experiment: "Experiment", run: Path, asker: int) -> int:
    """Find the last epoch of which all parties have their shares."""
    from mdl.folder import FileJournal
    from mdl.system import Answering

    if not isinstance(experiment.system, Answering):
        raise ConfigError(
            [
                f"{run} is a run of {experiment.system.type}, whose model does not stay shared: only that of "
                "quantised-mpc does"
            ],
            "mdl infer",
        )
    if asker > experiment.workers:
        raise ConfigError([f"{asker}, but there are workers 1 to {experiment.workers}"], "mdl infer --asker")
    roster = experiment.system.roster(experiment.workers)
    common = set.intersection(*(set(FileJournal(run, party).epochs("model")) for party in roster))
    if not common:
        raise ConfigError([f"{run} holds no epoch of which all parties have their shares"], "mdl infer")
    return max(common)
