"""What `mdl audit topology` prints."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from rich.console import ConsoleRenderable, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mdl.audit.tables import BAD, GOOD
from mdl.audit.topology.study import Audit, Line
from mdl.party import PartyId
from mdl.protocols.crowds import Crowd
from mdl.protocols.exposure import Sized, explain_exposing, listed

_SHORT: Final = 15
"""A fraction with more characters is shown as a decimal; the record has it as it is."""


def rendered(audit: Audit) -> Group:
    """Put the counts, and what they mean, below each other."""
    parts: list[ConsoleRenderable] = [_table(audit)]
    parts += map(Text, explained(audit))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def _table(audit: Audit) -> Table:
    span = "one epoch" if audit.epochs == 1 else f"{audit.epochs} epochs of models that stand still"
    table = Table(title=f"Whom coalitions expose: {_nodes(audit)}; {span}", title_justify="left")
    heads = ("colluding", "expose somebody", "honest in a sum", "for example")
    for head in heads:
        table.add_column(head, justify="left" if head == heads[-1] else "right")
    for line in audit.lines:
        table.add_row(str(line.sized.size), _count(line.sized), told(line.crowd), _example(line))
    return table


def _nodes(audit: Audit) -> str:
    degrees = sorted(audit.graph.degrees.values())
    lost = f", without {listed(audit.lost)}" if audit.lost else ""
    if _in_group(audit):
        return f"{len(degrees)} nodes in one group{lost}"
    neighbours = f"{degrees[0]}" if degrees[0] == degrees[-1] else f"{degrees[0]} to {degrees[-1]}"
    return f"{len(degrees)} nodes, {len(audit.graph.edges)} links, {neighbours} neighbours each{lost}"


def _in_group(audit: Audit) -> bool:
    return audit.system.in_group


def _count(sized: Sized) -> Text:
    judged = f"{sized.exposing}/{sized.judged}"
    if sized.searched == "some":
        judged += f" (of {sized.total:,})"
    return Text(judged, style=BAD if sized.exposing else GOOD if sized.settled else "")


def told(crowd: Crowd) -> str:
    """Write a number, or the two between which it lies."""
    same = crowd.at_least == crowd.at_most
    return str(crowd.at_least) if same else f"{crowd.at_least} to {crowd.at_most}"


def _example(line: Line) -> str:
    example = line.sized.example
    if example is None:
        return ""
    verb = "exposes" if len(example.coalition) == 1 else "expose"
    return f"{listed(example.coalition)} {verb} {listed(example.exposed)}"


def explained(audit: Audit) -> Sequence[str]:
    """Say what it means, a paragraph each."""
    said = [_smallest(audit), _recipe(audit), _threshold(audit), _lost(audit), _unsearched(audit)]
    said += [_never(audit), _epochs(audit), _claim(audit)]
    return [paragraph for paragraph in said if paragraph]


def _smallest(audit: Audit) -> str:
    if audit.first is None:
        return f"No coalition of up to {audit.safe_up_to} nodes learns the parameters of another."
    said = explain_exposing(audit.first)
    if audit.safe_up_to + 1 < audit.first.size:
        said += f" None of up to {audit.safe_up_to} do; whether any between do is not known."
    return said


def _recipe(audit: Audit) -> str:
    if audit.recipe is None:
        return ""
    learnt = "sum" if _in_group(audit) else "average"
    parts = [
        f"{_written(factor)} times {party}'s {learnt}" + (f" of epoch {epoch}" if audit.epochs > 1 else "")
        for (party, epoch), factor in audit.recipe.factors.items()
    ]
    return (
        f"How: {audit.recipe.victim}'s parameters are {' plus '.join(parts)}, after what the coalition knows "
        "itself is taken off (solved in exact fractions)."
    )


def _written(factor: Fraction) -> str:
    exact = str(factor)
    return exact if len(exact) <= _SHORT else f"about {float(factor):.4g}"


def _threshold(audit: Audit) -> str:
    if (threshold := audit.system.threshold) is None:
        return ""
    return (
        f"With threshold = {threshold}, so many of a neighbourhood have all its keys together. If its node "
        "is one of them they decrypt each member's parameters: they count as exposed."
    )


def _lost(audit: Audit) -> str:
    if not audit.lost:
        return ""
    return (
        f"This is of epochs that begin without {_named(audit.lost)}: all others weigh each other as before, "
        "and themselves more. In the epoch of a loss some sums may have a lost node's model and some not, "
        "which shows it; that is not counted here. Nor do the lost collude, who keep shares of secrets."
    )


def _unsearched(audit: Audit) -> str:
    sizes = [line.sized.size for line in audit.lines if not line.sized.settled]
    if not sizes:
        return ""
    which = f"size {sizes[0]}" if len(sizes) == 1 else f"sizes {sizes[0]} and above"
    return (
        f"NOT SEARCHED: of {which} there are too many coalitions. Those were judged that one sum or two give "
        "away, and some drawn at random; what they do not find may be there."
    )


def _never(audit: Audit) -> str:
    if audit.first is None or not audit.never:
        return ""
    exposed = [party for party in audit.graph.parties if party not in audit.never]
    most = audit.lines[-1].sized.size
    judged = f"coalition of up to {most} that was judged"
    if len(exposed) < len(audit.never):
        return f"Exposed by some {judged}: {_named(exposed)}; the others by none."
    return f"Not exposed by any {judged}: {_named(audit.never)}."


def _named(nodes: Sequence[PartyId]) -> str:
    return f"{'node' if len(nodes) == 1 else 'nodes'} {listed(nodes)}"


def _epochs(audit: Audit) -> str:
    if audit.epochs == 1:
        return (
            "This is of one epoch. Over several, models that hardly move tell more: --epochs K takes K of "
            "them for one system of equations."
        )
    return (
        f"{audit.epochs} epochs are taken here as if nobody trained between them: what is found is the most "
        "that sums can tell of the parameters in the first of them. Each epoch of training adds unknowns."
    )


def _claim(audit: Audit) -> str:
    if audit.refuted:
        return (
            "A SINGLE NODE IS ENOUGH: docs/security.md says that a node alone sees sums, and here it sees "
            "another's parameters. Give everybody two neighbours, in no such place."
        )
    return (
        "All of this is of nodes that follow the protocol and put together what they learn. One that asks "
        "its neighbours to open something else reads them (docs/security.md)."
    )
