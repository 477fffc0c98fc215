import gc


def pytest_collection_finish() -> None:
    """Leave what thousands of tests are made of out of all later collections, which it would slow down."""
    gc.collect()
    gc.freeze()
