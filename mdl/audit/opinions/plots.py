"""The plots of `mdl audit opinions`: members told from others, and copies."""

from collections.abc import Sequence
from typing import Final

from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from mdl.audit.opinions.study import Audit
from mdl.audit.opinions.telling import KINDS
from mdl.audit.opinions.verdict import CALLED
from mdl.mpc.blind.telling import Answers
from mdl.report import drawing, units
from mdl.report.drawing import EndLabel, Picture

_COLOURS: Final[dict[Answers, str]] = {
    "scores": drawing.BLUE,
    "rounded": drawing.GREEN,
    "labels": drawing.ORANGE,
}

_APART: Final = 0.12
"""How far two dots of one kind stand from their middle."""


def pictures(audit: Audit) -> Sequence[Picture]:
    """Draw what was done."""
    with drawing.theme():
        drawn = [_members(audit)] if audit.apart else []
        return [*drawn, *([_copies(audit)] if any(map(audit.copies, KINDS)) else [])]


def _members(audit: Audit) -> Picture:
    """Draw the AUC of each kind of answers, before and after, with its interval."""
    title = f"Who was among worker {audit.case.owner}'s training images"
    names = list(dict.fromkeys(each.finding.model for each in audit.apart))
    colours = dict(zip(names, (drawing.ORANGE, drawing.BLUE), strict=False))
    keys = [
        Line2D([], [], color=colours[name], marker="o", linestyle="", label=f"answers of {name}")
        for name in names
    ]
    figure = drawing.frame(title, "area under the curve, and its 95 % interval; 0.5: by guessing", 3.2, keys)
    axes = figure.add_subplot()
    axes.axhline(0.5, color=drawing.IDLE, linewidth=1)
    for each in audit.apart:
        auc = each.finding.score.auc
        place = KINDS.index(each.answers) + _APART * (2 * names.index(each.finding.model) - 1)
        reach = [[auc.value - auc.low], [auc.high - auc.value]]
        axes.errorbar([place], [auc.value], yerr=reach, fmt="o", color=colours[each.finding.model], capsize=3)
    axes.set_xticks(range(len(KINDS)), [CALLED[kind] for kind in KINDS])
    axes.set_xlim(-0.5, len(KINDS) - 0.5)
    axes.margins(y=0.1)
    axes.set_ylabel("AUC")
    return drawing.finish(
        figure, "members", title, "The higher, the better the owner's examples are told from others."
    )


def _copies(audit: Audit) -> Picture:
    """Draw how far copies agree with the owner's network, against the number of answers."""
    title = f"Worker {audit.case.owner}'s network, copied from its answers"
    figure = drawing.frame(title, "test images on which a copy says the same", height_inches=3.4)
    axes = figure.add_subplot()
    ends: list[EndLabel] = []
    for kind in KINDS:
        copies = audit.copies(kind)
        if not copies:
            continue
        places, heights = [each.questions for each in copies], [each.agreement for each in copies]
        axes.plot(places, heights, color=_COLOURS[kind], linewidth=2, marker="o", markersize=4)
        ends.append(EndLabel(places[-1], heights[-1], CALLED[kind], _COLOURS[kind]))
    anyway = audit.likenesses[1]
    axes.axhline(anyway.agreement, color=drawing.MUTED, linewidth=1)
    ends.append(EndLabel(None, anyway.agreement, anyway.name, drawing.MUTED))
    axes.set_xscale("log")
    axes.set_xticks(audit.case.asked, [f"{count:,}" for count in audit.case.asked])
    axes.minorticks_off()
    axes.margins(x=0.05, y=0.1)
    axes.set_xlabel("answers")
    drawing.mark_percent(axes)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: units.percent(round(value, 6), 0)))
    axes.set_ylabel("agreement")
    drawing.label_ends(axes, ends)
    return drawing.finish(
        figure,
        "copies",
        title,
        "Level: the asker's own network, trained alone. Above it answers are what copies.",
    )
