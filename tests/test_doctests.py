"""The examples in the docstrings, those of the compiled modules included."""

import doctest
import importlib
import pkgutil
import warnings

import pytest

import dualtape

MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(dualtape.__path__, "dualtape.")
    if not info.name.endswith("__main__") and "emit_c" not in info.name
)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


@pytest.mark.parametrize("name", ["dualtape", *MODULES])
def test_examples_of_a_module_hold(name):
    module = importlib.import_module(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = doctest.testmod(module, optionflags=FLAGS)
    assert result.failed == 0


def test_the_compiled_modules_have_examples():
    examples = [
        test
        for name in ("tape", "dual")
        for test in doctest.DocTestFinder().find(importlib.import_module(f"dualtape.core.{name}"))
        if test.examples
    ]
    assert examples
