"""Where the committed experiments of the figures lie."""

from pathlib import Path
from typing import Final

from mdl.errors import ConfigError

FOLDER: Final = Path("configs") / "paper"


def experiment_file(name: str) -> Path:
    """Find ``configs/paper/<name>.toml``: in the current directory, else beside the package.

    Raises:
        ConfigError: it is in neither, as where the package was installed without its repository.
    """
    file = FOLDER / f"{name}.toml"
    for root in (Path(), Path(__file__).parents[2]):
        if (root / file).is_file():
            return root / file
    raise ConfigError([f"{file} is not here; run it in a clone of the repository"], "mdl reproduce")
