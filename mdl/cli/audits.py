"""`mdl audit`: attacks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mdl.cli.options import File, Overrides, Seed
from mdl.cli.shared import (
    blaming,
    data_dir,
    experiment_of,
    load_experiment,
    refuse_file,
    warn_if_insecure,
)
from mdl.exits import EXIT_FAILED, EXIT_INTERRUPTED

if TYPE_CHECKING:
    from mdl.config import Experiment

audit_app = typer.Typer(help="Attacks: on protocols, on gradients, on finished models.", no_args_is_help=True)

Audited = Annotated[
    Path, typer.Argument(metavar="FILE|RUN", help="An experiment file (TOML), or a run's folder.")
]
Members = Annotated[
    int, typer.Option(metavar="K", help="At most so many members, and as many others.", min=10)
]
AuditOut = Annotated[
    Path,
    typer.Option(
        metavar="DIR", callback=refuse_file, help="Where the page and its like go, over earlier ones."
    ),
]


@audit_app.command()
def collusion(file: File, overrides: Overrides = None, seed: Seed = None) -> None:
    """Play ∝MDL's manager, alone and with colluding workers: what gradients can they open?

    Each attack is mounted twice: against the protocol as printed, and against what the manager holds after a
    run of the experiment's own system (a few parameters, with its n, m, group and encoding). Then every
    coalition of fewer than m workers is judged by linear algebra. Attacks by a manager that deviates from
    the protocol succeed against everything here, and are shown for that reason.

    Exit code 1: a claim of docs/security.md does not hold.

    [dim]Examples:[/dim]
      mdl audit collusion configs/quickstart.toml --set system.scheme.type=elgamal
      mdl audit collusion configs/dynamic.toml --set system.scheme.type=elgamal
    """
    from mdl.audit.audit import attackable, audit
    from mdl.audit.tables import rendered

    experiment = load_experiment(file, overrides, seed)
    warn_if_insecure(experiment)
    with blaming(file):
        found = audit(attackable(experiment.system), experiment.workers)
    Console(highlight=False).print(rendered(found))
    raise typer.Exit(EXIT_FAILED if found.broken_claims else 0)


@audit_app.command()
def topology(
    file: File,
    coalition: Annotated[
        int | None,
        typer.Option(
            metavar="C",
            help="Judge all sizes up to this; by default until some expose somebody, or n - 2.",
            min=1,
        ),
    ] = None,
    epochs: Annotated[
        int,
        typer.Option(metavar="K", help="Take K epochs for one system, as if nobody trained.", min=1, max=8),
    ] = 1,
    lost: Annotated[
        list[int] | None,
        typer.Option(metavar="NODE", help="Audit what is left when this node is gone. Repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", callback=refuse_file, help="Also write audit-topology.json here."),
    ] = None,
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Find the coalitions of nodes on a graph that learn another's parameters, whatever the encryption.

    Each node of a decentralised experiment learns the weighted sum over its neighbours. Nodes that collude
    put their sums together; whose parameters follow from them is decided by exact linear algebra: for every
    coalition of a size, or some where there are too many. It needs no data and no training.

    Exit code 1: a single node learns another's parameters in an epoch.

    [dim]Examples:[/dim]
      mdl audit topology configs/dmhe-ring.toml
      mdl audit topology configs/dmhe-ring.toml --set system.graph.type=complete
      mdl audit topology configs/dmhe-ring.toml --coalition 4 --epochs 3 --out audits
      mdl audit topology FILE --set system.threshold=5 --lost 4 --lost 7
    """
    from mdl.audit.topology import command

    experiment = load_experiment(file, overrides, seed)
    warn_if_insecure(experiment)
    with blaming(file):
        audit = command.run(experiment, most=coalition, epochs=epochs, out=out, lost=lost or ())
    raise typer.Exit((EXIT_FAILED if audit.refuted else 0) if audit.complete else EXIT_INTERRUPTED)


@audit_app.command()
def inversion(
    what: Audited,
    attack: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of analytic, idlg, geiping, rows, joint; else all. Repeatable."),
    ] = None,
    images: Annotated[
        int,
        typer.Option(metavar="K", help="Victims on a plain server's side, one image or batch each.", min=1),
    ] = 8,
    out: AuditOut = Path("audits"),
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Turn gradients back into images: what does each role's view of an epoch show?

    Runs the first epoch of an experiment on virtual links with its real data, and gives published attacks
    exactly what a role holds afterwards: a plain parameter server (the yardstick), the manager, a worker,
    who reads a link, and a coalition. Of a run's folder the final global model is the point of attack.
    Leaves a page with the recovered images beside the originals, PNGs and JSON.

    Exit code 1: what is claimed of sums of eight and more (one step, batch 1) does not hold.

    [dim]Examples:[/dim]
      mdl audit inversion configs/audit-inversion.toml
      mdl audit inversion runs/20260101-120000-quickstart --out audits/quickstart
    """
    from mdl.audit.inversion import command

    experiment, trained = _audited(what, overrides, seed)
    with blaming(what):
        audit = command.run(
            experiment,
            trained=trained,
            names=attack or [],
            images=images,
            out=out,
            data_dir=data_dir(),
        )
    raise typer.Exit((EXIT_FAILED if audit.refuted else 0) if audit.complete else EXIT_INTERRUPTED)


@audit_app.command()
def membership(
    what: Audited,
    alone: Annotated[
        int | None,
        typer.Option(metavar="K", help="Train so many workers alone, for comparison; else all.", min=0),
    ] = None,
    examples: Members = 10_000,
    out: AuditOut = Path("audits"),
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Tell from the finished model who was trained on: losses of members against those of others.

    Attacks the final global model of a run's folder, or trains the experiment's on virtual links first; and,
    for comparison, models that workers train alone. Members are the workers' examples, the others the test
    set's. Leaves a page with the curves, a PNG and JSON.

    [dim]Examples:[/dim]
      mdl audit membership configs/quickstart.toml
      mdl audit membership runs/20260101-120000-quickstart --alone 1
    """
    from mdl.audit.membership import command

    experiment, trained = _audited(what, overrides, seed)
    with blaming(what):
        audit = command.run(
            experiment, trained=trained, alone=alone, examples=examples, out=out, data_dir=data_dir()
        )
    raise typer.Exit(0 if audit.complete else EXIT_INTERRUPTED)


@audit_app.command()
def poisoning(
    file: File,
    rate: Annotated[
        list[float] | None,
        typer.Option(metavar="R", help="The part of its labels that is wrong; else 0 to 1. Repeatable."),
    ] = None,
    worker: Annotated[
        int, typer.Option(metavar="ID", help="Who has the wrong labels, 1 or 2.", min=1, max=2)
    ] = 2,
    seeds: Annotated[int, typer.Option(metavar="K", help="Do it with K seeds.", min=1)] = 1,
    out: AuditOut = Path("audits"),
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Give one of two workers wrong labels: what does that do to the other one's model?

    Shifts a part of a worker's labels by one class, and scores the honest worker's model: trained alone;
    taught by the other one's answers, with the gate on opinions and without; and averaged with the other
    one's. All on virtual links, with the real protocol. Leaves a page with the plot, a PNG and JSON.

    Exit code 1: with the gate the honest worker loses more than a point, beyond what chance explains.

    [dim]Examples:[/dim]
      mdl audit poisoning configs/smule-quickstart.toml
      mdl audit poisoning configs/smule.toml --rate 0.5 --rate 1
    """
    from mdl.audit.poisoning import command
    from mdl.audit.poisoning.study import RATES

    experiment = load_experiment(file, overrides, seed)
    warn_if_insecure(experiment)
    with blaming(file):
        audit = command.run(
            experiment, rates=rate or RATES, poisoner=worker, seeds=seeds, out=out, data_dir=data_dir()
        )
    raise typer.Exit((EXIT_FAILED if audit.refuted else 0) if audit.complete else EXIT_INTERRUPTED)


@audit_app.command()
def opinions(
    what: Audited,
    worker: Annotated[
        int, typer.Option(metavar="ID", help="Whose network answers, 1 or 2.", min=1, max=2)
    ] = 2,
    questions: Annotated[
        list[int] | None,
        typer.Option(metavar="K", help="Copy it from K answers; else 100 to 4,000. Repeatable.", min=1),
    ] = None,
    examples: Members = 10_000,
    out: AuditOut = Path("audits"),
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Tell from the answers of a worker's network what it was trained on, and copy it.

    Attacks the final models of a run's folder, or trains the experiment's on virtual links first. Examples
    are told from others by the loss of the answers, before and after the two teach each other; copies are
    students that learn answers alone. All for scores, rounded scores and best classes. Leaves a page with the
    plots, PNGs and JSON.

    [dim]Examples:[/dim]
      mdl audit opinions configs/smule-quickstart.toml
      mdl audit opinions runs/20260101-120000-smule --questions 400
    """
    from mdl.audit.opinions import command
    from mdl.audit.opinions.study import QUESTIONS

    experiment, trained = _audited(what, overrides, seed)
    with blaming(what):
        audit = command.run(
            experiment,
            trained=trained,
            owner=worker,
            questions=questions or QUESTIONS,
            examples=examples,
            out=out,
            data_dir=data_dir(),
        )
    raise typer.Exit(0 if audit.complete else EXIT_INTERRUPTED)


def _audited(what: Path, overrides: list[str] | None, seed: int | None) -> tuple["Experiment", Path | None]:
    """Read the experiment of a file or of a run's folder; give the folder too if it is one."""
    run_folder = what if what.is_dir() else None
    experiment = load_experiment(experiment_of(what, "mdl audit") if run_folder else what, overrides, seed)
    warn_if_insecure(experiment)
    return experiment, run_folder
