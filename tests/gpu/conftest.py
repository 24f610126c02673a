"""Tests on a GPU, skipped where there is none."""

import pytest


def _has_gpu():
    try:
        import cupy

        return cupy.cuda.runtime.getDeviceCount() > 0
    except Exception:  # whatever keeps CuPy from a GPU
        return False


def pytest_collection_modifyitems(items):
    missing = not _has_gpu()
    for item in items:
        if missing and "gpu" in item.path.parts:
            item.add_marker(pytest.mark.skip(reason="there is no GPU, or no CuPy"))
