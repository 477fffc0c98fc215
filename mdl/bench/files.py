"""What a benchmark leaves in a folder: figures as JSON, tables as Markdown, a plot as PNG."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mdl import folder
from mdl.bench.machine import machine, sentence
from mdl.bench.tables import Sheet
from mdl.errors import MdlError
from mdl.report.drawing import Picture


def write(
    out: Path,
    name: str,
    figures: Mapping[str, Any],
    sheets: Sequence[Sheet[Any]],
    pictures: Sequence[Picture],
) -> Sequence[Path]:
    """Write ``<name>.json``, ``<name>.md`` and a PNG for each picture; give their paths.

    Raises:
        MdlError: they cannot be written.
    """
    here = machine()
    page = [f"Measured on: {sentence(here)}.\n", *(sheet.markdown() for sheet in sheets)]
    page += [f"![{each.title}]({each.name}.png)\n\n{each.caption}\n" for each in pictures]
    contents = {
        f"{name}.json": (json.dumps({"machine": here, **figures}, indent=2) + "\n").encode(),
        f"{name}.md": "\n".join(page).encode(),
    } | {f"{each.name}.png": each.png for each in pictures}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file, content in contents.items():
            folder.write_atomically(out / file, content)
    except OSError as error:
        raise MdlError(f"cannot write into {out}: {error.strerror}") from None
    return [out / file for file in contents]
