"""What `mdl audit collusion` prints."""

from collections.abc import Sequence

from rich.console import ConsoleRenderable, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mdl.audit.audit import Audit, Judged
from mdl.audit.findings import Example, Result, is_printed

BAD, GOOD = "red", "green"


def rendered(audit: Audit) -> Group:
    """Put everything below each other: attacks, values, coalitions, and what it means."""
    parts: list[ConsoleRenderable] = [_attacks(audit), _values(audit), _coalitions(audit)]
    parts += map(Text, explained(audit))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def _attacks(audit: Audit) -> Table:
    title = f"Attacks, with n = {audit.workers} workers and m = {audit.threshold}"
    table = Table("", "on", "by", "as printed", "this experiment", title=title, title_justify="left")
    for number, found in enumerate(audit.findings, start=1):
        if not found.withstood and audit.findings[number - 2].withstood:
            table.add_section()
        table.add_row(str(number), found.attack, found.who, _told(found.printed), _told(found.ours))
    return table


def _told(result: Result) -> Text:
    return Text(result.said, style=BAD if result.right else GOOD)


def _values(audit: Audit) -> Table:
    """Victims' encoded values, true ones and what the attacks say they are, side by side."""
    title = "Entries of encoded gradients: what they are, and what each attack says they are"
    table = Table("", "against", "victim", "true", "recovered", title=title, title_justify="left")
    for number, found in enumerate(audit.findings, start=1):
        for against, result in (("print", found.printed), ("this experiment", found.ours)):
            if result.example:
                table.add_row(str(number), against, *_shown(result.example))
    return table


def _shown(example: Example) -> tuple[str, str, str]:
    victim = " + ".join(map(str, example.victims))
    return victim, _numbers(example.true), _numbers(example.recovered)


def _numbers(values: Sequence[int]) -> str:
    return " ".join(map(str, values[:3]))


def _coalitions(audit: Audit) -> Table:
    workers, threshold = audit.judged_of
    title = (
        f"All coalitions of fewer than m = {threshold} of n = {workers} workers: how many reach a single "
        "gradient, or a sum below m (with the manager, or alone); ← is this experiment"
    )
    columns = ["manager", *(f"+ {count}" for count in range(1, threshold)), "alone"]
    table = Table("protocol", "set of", *columns, title=title, title_justify="left")
    for judged in audit.judged:
        cells = [*judged.tally.with_manager, judged.tally.workers_alone]
        table.add_row(_marked(judged), judged.sets, *map(_count, cells))
    return table


def _marked(judged: Judged) -> Text:
    return Text(f"{judged.protocol} ←", style="bold") if judged.ours else Text(judged.protocol)


def _count(cell: tuple[int, int]) -> Text:
    harmful, judged = cell
    return Text(f"{harmful}/{judged}", style=BAD if harmful else GOOD)


def explained(audit: Audit) -> list[str]:
    """Say what it means, a paragraph each."""
    return [_meaning(audit), *_deviation(audit), _limits(audit), _claims(audit)]


def _meaning(audit: Audit) -> str:
    print_says = (
        "As printed, ∝MDL^d hands out shares of every arrival's mask. The manager alone opens what arrives "
        "after the m-th; where sets close there, the manager and one worker from outside open the m-th."
    )
    if is_printed(audit.system):
        return (
            f"{print_says} This experiment runs that protocol, with sets that close: gradients were opened "
            "with what its manager held after a run, and no other secret than the colluders' key shares."
        )
    return (
        f"{print_says} This experiment gives no share before a set is closed, and then one for its sum "
        "alone. It was attacked with all that its manager held after a run."
    )


def _deviation(audit: Audit) -> list[str]:
    deviating = [found for found in audit.findings if not found.withstood]
    if not deviating:
        return []
    succeeded = sum(found.ours.right > 0 for found in deviating)
    return [
        f"A manager that does not follow the protocol succeeded in {succeeded} of {len(deviating)} attacks "
        "on this experiment. That is no surprise and no broken claim: the manager is assumed to be "
        "semi-honest, and this is what the assumption is worth (docs/security.md)."
    ]


def _limits(audit: Audit) -> str:
    smaller = "" if audit.judged_of[0] == audit.workers else " (a smaller n stands for this experiment's)"
    return (
        f"The last table covers all attacks that multiply elements and raise them to known numbers{smaller}; "
        "coalitions that fill a set but for one member are left out, as its sum shows them that one. It says "
        "nothing of discrete logarithms, of what a sum itself tells, or of faults in the code."
    )


def _claims(audit: Audit) -> str:
    if is_printed(audit.system):
        return 'docs/security.md claims no protection for mode = "paper".'
    if broken := audit.broken_claims:
        return "A CLAIM OF docs/security.md DOES NOT HOLD: " + "; ".join(broken)
    return "Every claim of docs/security.md that was tried holds."
