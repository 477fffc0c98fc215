"""All figures on one page: ``reproduction.html``, which needs nothing but itself, and ``reproduction.md``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mdl import folder as files
from mdl.bench.machine import sentence
from mdl.errors import MdlError
from mdl.reproduction.results import DATA, Result

HTML: Final = "reproduction.html"
MARKDOWN: Final = "reproduction.md"


def write(results: Sequence[Result], out: Path) -> Sequence[Path]:
    """Write both pages over earlier ones; give their paths.

    Raises:
        MdlError: they cannot be written.
    """
    contents = {HTML: html(results), MARKDOWN: markdown(results)}
    try:
        for name, text in contents.items():
            files.write_atomically(out / name, text.encode())
    except OSError as error:
        raise MdlError(f"cannot write into {out}: {error.strerror}") from None
    return [out / name for name in contents]


def html(results: Sequence[Result]) -> str:
    """Give the page as HTML."""
    environment = Environment(
        loader=PackageLoader("mdl", "reproduction"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        summary=_summary(results),
        machines=_machines(results),
        results=results,
        # The SVG is matplotlib's, which escapes the text that it is given.
        drawings={result.figure.name: Markup(result.picture.svg) for result in results},  # noqa: S704
        extent=_extent,
    )


def markdown(results: Sequence[Result]) -> str:
    """Give the page as Markdown: a table of all checks, then figure by figure."""
    lines = ["# The paper's figures, run again", "", _summary(results), ""]
    lines += [*(f"Measured on: {machine}." for machine in _machines(results)), ""]
    lines += ["| figure | expected | found | |", "|---|---|---|---|"]
    lines += [
        f"| {result.figure.name} | {_cell(check.expected)} | {_cell(check.found)} | {check.verdict} |"
        for result in results
        for check in result.checks
    ]
    for result in results:
        figure, picture = result.figure, result.picture
        lines += ["", f"## {figure.heading}", "", f"The paper (§{figure.section}): {figure.claim}", ""]
        lines += [f"Here: {_extent(result)}.", ""]
        lines += [f"![{picture.title}]({figure.name}/{picture.name}.png)", "", picture.caption, ""]
        lines += [
            f"{result.provenance}. [Data]({figure.name}/data.csv), [with all facts]({figure.name}/{DATA})."
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Keep a bar in the text from ending its cell."""
    return text.replace("|", r"\|")


def _extent(result: Result) -> str:
    return result.figure.quick if result.quick else result.figure.full


def _summary(results: Sequence[Result]) -> str:
    checks = [check for result in results for check in result.checks]
    held = sum(check.holds for check in checks)
    lost = sorted({result.figure.name for result in results if not result.holds})
    where = f"; in {', '.join(lost)} not all do" if lost else ""
    counted = "1 figure" if len(results) == 1 else f"{len(results)} figures"
    return f"{counted}; {held} of {len(checks)} expected shapes hold{where}."


def _machines(results: Sequence[Result]) -> Sequence[str]:
    """Give every machine and date once."""
    return list(dict.fromkeys(sentence(result.machine) for result in results))
