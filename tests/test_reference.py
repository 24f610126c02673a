"""The reference names all that is public."""

import importlib
import re
from pathlib import Path

import pytest

import dualtape as dt
from dualtape.rules.table import RULES

PAGES = Path(__file__).parent.parent / "docs" / "reference"
MODULES = ("special", "linalg", "stats", "signal", "interpolate", "sparse", "sparse.linalg")


def words(*pages):
    """The identifiers on some pages."""
    return set(re.findall(r"\w+", "\n".join((PAGES / page).read_text() for page in pages)))


def test_of_dualtape():
    pages = ("index.md", "operators.md", "functions.md", "arrays.md", "types.md", "errors.md", "testing.md")
    rows = {name for rule in RULES for name in (rule.name, *rule.aliases)}  # on a page made of the table
    packages = {"arrays", "errors"}
    assert set(dt.__all__) - rows - packages - words(*pages) == set()


@pytest.mark.parametrize("module", MODULES)
def test_of_dualtape_scipy(module):
    assert set(importlib.import_module(f"dualtape.scipy.{module}").__all__) - words("scipy.md") == set()


def test_the_architecture_names_files_that_are_there():
    page = (PAGES.parent / "dev" / "architecture.md").read_text()
    named = set(re.findall(r"`(?:\w+/)*(\w+\.(?:py|pyx|c|sh))`", page))
    root = PAGES.parent.parent
    there = {path.name for folder in (root / "dualtape", root / "tools") for path in folder.rglob("*.*")}
    assert named - there - {"setup.py"} == set()
