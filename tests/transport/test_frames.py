"""Frames: any chunking gives the same bodies, and no bytes do any harm."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.errors import FrameTooLarge, MalformedMessage, TransportError
from mdl.transport.frames import FRAME_LIMIT, FrameReader, prefix


def framed(bodies: list[bytes]) -> bytes:
    return b"".join(prefix(body) + body for body in bodies)


def chunks(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(places)]


@given(bodies=st.lists(st.binary(max_size=40), max_size=8), cuts=st.lists(st.integers(0, 500), max_size=12))
def test_any_chunking_gives_the_same_bodies(bodies: list[bytes], cuts: list[int]) -> None:
    reader = FrameReader()
    assert [body for chunk in chunks(framed(bodies), cuts) for body in reader.feed(chunk)] == bodies
    reader.finish()


def test_frames_may_come_one_byte_at_a_time() -> None:
    reader = FrameReader()
    stream = framed([b"first", b"", b"third"])
    bodies = [body for byte in stream for body in reader.feed(bytes([byte]))]
    assert bodies == [b"first", b"", b"third"]


def test_data_counts_even_if_nobody_iterates() -> None:
    reader = FrameReader()
    reader.feed(prefix(b"abc") + b"a")
    reader.feed(b"bc")
    assert reader.pull() == b"abc"


@given(stream=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_arbitrary_bytes_give_frames_or_a_transport_error(stream: bytes, cuts: list[int]) -> None:
    reader = FrameReader(limit_bytes=32)
    try:
        for chunk in chunks(stream, cuts):
            for body in reader.feed(chunk):
                assert len(body) <= 32
        reader.finish()
    except TransportError:
        pass


def test_too_large_a_frame_is_refused_at_its_prefix() -> None:
    with pytest.raises(FrameTooLarge, match=str(FRAME_LIMIT + 1)):
        list(FrameReader().feed((FRAME_LIMIT + 1).to_bytes(4)))


def test_frames_before_one_that_is_too_large_are_handed_out() -> None:
    bodies = FrameReader(limit_bytes=4).feed(framed([b"good"]) + b"\xff\xff\xff\xff")
    assert next(bodies) == b"good"
    with pytest.raises(FrameTooLarge):
        next(bodies)


def test_the_largest_frame_passes() -> None:
    body = bytes(FRAME_LIMIT)
    assert list(FrameReader().feed(prefix(body) + body)) == [body]


def test_no_prefix_is_made_for_too_large_a_body() -> None:
    with pytest.raises(FrameTooLarge):
        prefix(bytes(FRAME_LIMIT + 1))


@pytest.mark.parametrize("missing", range(1, 8))
def test_a_stream_that_ends_inside_a_frame_is_malformed(missing: int) -> None:
    reader = FrameReader()
    list(reader.feed(framed([b"abcd"])[:-missing]))
    with pytest.raises(MalformedMessage, match="inside a frame"):
        reader.finish()


def test_the_limit_can_be_widened_between_frames() -> None:
    reader = FrameReader(limit_bytes=2)
    bodies = reader.feed(framed([b"ok", b"longer"]))
    assert next(bodies) == b"ok"
    reader.limit_bytes = 6
    assert next(bodies) == b"longer"
