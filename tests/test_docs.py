"""What the documents say of the code: names, files, commands and the diagram are those of the tree."""

import json
import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from typer.main import get_command

from mdl.bench.cases import NAMES
from mdl.cli import app
from mdl.config import load
from mdl.learning.privacy import DpSgd
from mdl.schemes.settings import AnyScheme
from mdl.studies.several import Several
from mdl.systems import AnySystem
from mdl.systems.mutual.settings import MutualSettings
from mdl.systems.visibility import VisibilitySettings

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")

SCHEMES = get_args(get_args(AnyScheme)[0])
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]  # of a group, which ours is


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def named_tests() -> list[tuple[str, str]]:
    return sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", SECURITY)))


def commands(program: str) -> list[str]:
    """Give every command line of the README, in blocks and in running text, that begins with `program`."""
    lines = [line.strip().removeprefix("$ ") for line in README.splitlines()]
    quoted = re.findall(r"`([^`\n]+)`", README)
    found = {re.sub(r"^[A-Z_]+=\S+ ", "", line) for line in [*lines, *quoted]}
    return sorted(line for line in found if line.startswith(f"{program} ") and "|" not in line)


def tree() -> Iterator[str]:
    """Give the paths that the README's tree names."""
    drawn = README.partition("<!-- tree begins -->")[2].partition("<!-- tree ends -->")[0]
    folders: list[str] = []
    for line in drawn.splitlines():
        if not line or line.startswith("```"):
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        folders = [*folders[:depth], line.split()[0].rstrip("/")]
        yield "/".join(folders)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def options(words: Sequence[str], option: str) -> list[str]:
    return [value for flag, value in pairwise(words) if flag == option]


def test_the_doors_name_all_who_implement_them() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(System|ThresholdEncryption)` .* \| (.+?) \|$", page, re.MULTILINE))
    systems = [system.__name__ for system in get_args(get_args(AnySystem)[0])]
    schemes = sorted(table.__name__.removesuffix("Settings") for table in SCHEMES)
    assert [re.findall(r"`(\w+)`", rows[door]) for door in ("System", "ThresholdEncryption")] == [
        systems,
        schemes,
    ]


@pytest.mark.parametrize(("file", "function"), named_tests())
def test_every_test_that_the_security_page_names_exists(file: str, function: str) -> None:
    assert re.search(rf"^(async )?def {function}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_rule_of_opening_has_its_row() -> None:
    rules = SECURITY.partition("## Rules of opening")[2].partition("\n## ")[0]
    each = ["1", "2", "3", "4", "5"]
    assert re.findall(r"^\| (\d)\. ", rules, re.MULTILINE) == each * 2, "for epochs, and for versions"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_pages_and_headings_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        place, _, anchor = target.partition("#")
        other = page.parent / place if place else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


def test_the_tree_of_the_readme_names_files_that_exist() -> None:
    paths = list(tree())
    assert len(paths) > 50
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_tree_of_the_readme_has_every_module_of_the_package() -> None:
    there = {f"mdl/{path.name}" for path in (ROOT / "mdl").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert there - set(tree()) <= {"mdl/__init__.py", "mdl/__main__.py", "mdl/__pycache__"}


def test_the_layers_of_the_architecture_are_those_of_the_contract() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = page.partition("| layer |")[2].partition("\n\n")[0].splitlines()[2:]
    named = [name for row in rows for name in re.findall(r"`mdl\.(\w+)`", row.split("|")[1])]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    assert named == [name for layer in layers for name in layer.split(" | ")]


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {word for line in commands("make") for word in line.split()[1:] if word.isidentifier()}
    assert {"train", "test"} <= named <= targets


@pytest.mark.parametrize("line", commands("mdl"))
def test_every_command_of_the_readme_exists_with_its_options(line: str) -> None:
    _, verb, *words = shlex.split(line)
    command = COMMANDS[verb]
    if hasattr(command, "commands"):  # a group
        command = command.commands[words[0]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("line", [line for line in commands("mdl") if "configs/" in line])
def test_every_experiment_of_the_readme_is_valid(line: str) -> None:
    words = shlex.split(line)
    files = [ROOT / word for word in words if word.startswith("configs/")]
    if words[1] == "compare":
        Several(files, options(words, "--set")).points()  # raises ConfigError if their data is not the same
    else:
        [file] = files
        load(file, options(words, "--set"))


@pytest.mark.parametrize("line", commands("mdl compare"))
def test_what_the_readme_says_of_systems_is_what_they_say_of_themselves(line: str) -> None:
    table = README.partition("<!-- comparison begins")[2].partition("<!-- comparison ends")[0]
    points, _ = Several([ROOT / word for word in shlex.split(line) if word.startswith("configs/")]).points()
    for point in points:
        traits = point.experiment.system.traits(point.experiment.workers)
        assert f"| {traits.learns} | {traits.loss} |" in table, point.name


@pytest.mark.parametrize("line", commands("python"))
def test_every_script_of_the_readme_exists(line: str) -> None:
    words = line.split()
    script = words[2].replace(".", "/") + ".py" if words[1] == "-m" else words[1]
    assert (ROOT / script).is_file()


def test_the_experiment_that_the_readme_prints_is_valid(tmp_path: Path) -> None:
    whole, privacy = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    file = tmp_path / "hospitals.toml"
    file.write_text(whole, encoding="utf-8")
    experiment, notes = load(file)
    assert experiment.workers == 3
    assert not notes
    file.write_text(f"{whole}\n{privacy}", encoding="utf-8")
    experiment, notes = load(file)
    assert isinstance(experiment.system, VisibilitySettings)
    assert experiment.system.noise
    assert isinstance(experiment.learning.privacy, DpSgd)
    assert not notes


def test_the_page_of_mutual_learning_has_every_key_with_its_default() -> None:
    page = (ROOT / "docs" / "systems" / "mutual.md").read_text(encoding="utf-8")
    table = page.partition("| key of `[system]` |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (?:`([^`]+)`|–) \|", table, re.MULTILINE))
    fields = {key: field.default for key, field in MutualSettings.model_fields.items() if key != "type"}
    assert set(rows) == set(fields)
    for key, default in fields.items():
        assert rows[key] == ("" if default is None else json.dumps(default)), key


def test_the_page_of_the_schemes_has_every_type_and_every_row_of_the_benchmark() -> None:
    page = (ROOT / "docs" / "schemes.md").read_text(encoding="utf-8")
    types = [table.model_fields["type"].default for table in SCHEMES]
    assert re.findall(r"^\*\*`(\w+)`\*\*", page, re.MULTILINE) == types
    costs = page.partition("<!-- costs begin -->")[2].partition("<!-- costs end -->")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", costs, re.MULTILINE) == list(NAMES)


@pytest.mark.parametrize("page", ["coordinated.md", "dynamic.md"])
def test_the_diagrams_are_those_of_the_transcripts(page: str) -> None:
    drawn = re.findall(
        r"<!-- scripts/diagrams.py begins -->\n```mermaid\n(.*?)\n```\n<!-- scripts/diagrams.py ends -->",
        (ROOT / "docs" / "systems" / page).read_text(encoding="utf-8"),
        re.DOTALL,
    )
    script = runpy.run_path(str(ROOT / "scripts" / "diagrams.py"))
    assert drawn == script["diagrams"](page), "run: python scripts/diagrams.py"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_names_a_place_of_one_machine(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(tmp|home|work|root|Users)/", page.read_text(encoding="utf-8"))
