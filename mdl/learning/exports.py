"""Models as files that are the same, byte for byte, wherever the same model is written."""

import json
from collections.abc import Mapping
from typing import Final

from safetensors.torch import save
from torch import Tensor

_LENGTH_BYTES: Final = 8
_METADATA: Final = "__metadata__"


def file_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Give tensors and metadata in the safetensors format, the metadata in the order given.

    The library writes them in an order of chance, another one in each process. The header is a length of 8
    bytes, little-endian, and JSON, filled up with blanks to a multiple of 8 bytes. Tensors are counted from
    its end.
    """
    written = save(dict(tensors), dict(metadata))
    end = _LENGTH_BYTES + int.from_bytes(written[:_LENGTH_BYTES], "little")
    header = {**json.loads(written[_LENGTH_BYTES:end]), _METADATA: dict(metadata)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text + written[end:]
