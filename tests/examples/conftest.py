"""The examples are programs, not a package: put their folder on the path, and draw without a display."""

import os
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))
os.environ["MPLBACKEND"] = "Agg"


@pytest.fixture
def check_pictures():
    """A function that asserts that files are a PNG and an SVG with something in them."""

    def check(files):
        png, svg = files
        assert png.suffix == ".png"
        assert svg.suffix == ".svg"
        assert png.read_bytes().startswith(b"\x89PNG\r\n")
        assert "</svg>" in svg.read_text(encoding="utf-8")
        assert min(png.stat().st_size, svg.stat().st_size) > 10_000

    return check
