"""The base of every value that an experiment file can set."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen, strictly checked table of an experiment file: no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
