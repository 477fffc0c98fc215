"""Where the committed experiments of the figures lie."""

from pathlib import Path
from typing import Final

from mdl.errors import ConfigError

FOLDER: Final = Path("configs") / "paper"


def experiment_file(figure: str) -> Path:
    """Find ``configs/paper/<figure>.toml``: in the current directory, else beside the package.

    Raises:
        ConfigError: it is in neither, as where the package was installed without its repository.
    """
    name = FOLDER / f"{figure}.toml"
    for root in (Path(), Path(__file__).parents[2]):
        if (root / name).is_file():
            return root / name
    raise ConfigError([f"{name} is not here; run it in a clone of the repository"], "mdl reproduce")
