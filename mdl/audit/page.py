"""An audit as one HTML page that needs nothing but itself."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mdl import folder as files
from mdl.audit.galleries import Gallery, data_uri
from mdl.errors import ConfigError, MdlError
from mdl.report.drawing import Picture


@dataclass(frozen=True)
class Claim:
    """A statement that a run of the attacks can refute.

    Attributes:
        text: in words.
        holds: whether it did.
        figures: the numbers, in words.
    """

    text: str
    holds: bool
    figures: str


@dataclass(frozen=True)
class Table:
    """Figures in rows; the first two cells of a row are words."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Page:
    """What stands on it, from top to bottom.

    Attributes:
        title: of the page.
        subtitle: where, how and when.
        complete: whether all was done.
        paragraphs: what it means, in words.
        claims: judged.
        galleries: images.
        pictures: plots.
        tables: figures.
        experiment: the resolved file.
    """

    title: str
    subtitle: str
    complete: bool
    paragraphs: Sequence[str]
    tables: Sequence[Table]
    experiment: str
    claims: Sequence[Claim] = ()
    galleries: Sequence[Gallery] = ()
    pictures: Sequence[Picture] = ()

    def render(self) -> str:
        """Write the page."""
        environment = Environment(
            loader=PackageLoader("mdl", "audit"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        # The SVG is matplotlib's, which escapes the text that it is given.
        svgs = [(Markup(picture.svg), picture.caption) for picture in self.pictures]  # noqa: S704
        return environment.get_template("page.html.j2").render(values, svgs=svgs, uri=data_uri)


def prepare(out: Path) -> None:
    """Make the folder and write into it, before an attack that may take long.

    Raises:
        ConfigError: it cannot be made, or nothing can be written there.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except FileExistsError:
        raise ConfigError([f"--out: {out} is a file, and not a folder"]) from None
    except OSError as error:
        raise ConfigError([f"--out: cannot write into {out}: {error.strerror}"]) from None


def write_page(page: Page, figures: Mapping[str, Any], out: Path, name: str) -> Sequence[Path]:
    """Write an audit's page, its plots as PNGs and its figures as JSON, over those of an earlier one.

    Raises:
        MdlError: they cannot be written.
    """
    contents = {f"{name}.html": page.render().encode()}
    contents |= {f"{name}-{picture.name}.png": picture.png for picture in page.pictures}
    contents[f"{name}.json"] = (json.dumps(figures, indent=2) + "\n").encode()
    return write_all(out, contents)


def write_all(out: Path, contents: Mapping[str, bytes]) -> Sequence[Path]:
    """Write files into a folder, each wholly or not at all, over earlier ones.

    Raises:
        MdlError: they cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            files.write_atomically(out / name, content)
    except OSError as error:
        raise MdlError(f"cannot write the audit into {out}: {error.strerror}") from None
    return [out / name for name in contents]
