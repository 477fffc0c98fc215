"""Images in rows."""

import base64
import io

import numpy as np
from matplotlib import image as files

from mdl.audit.galleries import Cell, Gallery, data_uri, png

GREY = np.full((4, 5, 3), 128, np.uint8)


def test_a_picture_in_a_page_is_the_picture() -> None:
    kind, _, packed = data_uri(GREY).partition(",")
    assert kind == "data:image/png;base64"
    read = files.imread(io.BytesIO(base64.b64decode(packed)))
    assert read.shape[:2] == (4, 5)
    assert np.allclose(read[..., :3], 128 / 255, atol=1e-3)


def test_a_gallery_is_drawn_with_gaps_where_there_is_nothing() -> None:
    rows = [("original", [Cell(GREY), Cell(GREY)]), ("attack", [Cell(GREY, "12.0 dB"), Cell(None)])]
    drawn = files.imread(io.BytesIO(png(Gallery("name", "a title", rows))))
    assert drawn.shape[0] > 300


def test_a_gallery_of_one_image_is_wide_enough_for_its_title() -> None:
    rows = [("original", [Cell(GREY)])]
    short, long = (
        files.imread(io.BytesIO(png(Gallery("name", title, rows)))) for title in ("title", "a title " * 8)
    )
    assert long.shape[1] > short.shape[1]
    edge = long[:40, -8:, :3]  # nothing of the title reaches the right edge
    assert np.ptp(edge) < 0.01
