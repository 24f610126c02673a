"""Every function of NumPy that can be overridden has a rule, has plain results, or says that it has no rule."""

import functools
import importlib
import inspect
import os

import numpy as np
import numpy.fft  # whose functions are overridable once they are imported
import numpy.lib.recfunctions
import pytest
from numpy.testing import overrides

import dualtape as dt
from dualtape.arrays import protocol
from dualtape.core.array import Array
from dualtape.core.traced import Traced
from dualtape.core.values import level_of

pytestmark = pytest.mark.filterwarnings("ignore")

X = np.array([0.4, 0.7, 0.2])


def public(f):
    """The function that programs call: NumPy keeps another object for those with like=."""
    return getattr(importlib.import_module(f.__module__), f.__name__, f)


FUNCTIONS = {f"{f.__module__}.{f.__name__}": public(f) for f in overrides.get_overridable_numpy_array_functions()}
FUNCTIONS = dict(sorted(FUNCTIONS.items()))
UFUNCS = {u.__name__: u for u in sorted(overrides.get_overridable_numpy_ufuncs(), key=lambda u: u.__name__)}


def kind(f):
    """Which of the three lists a function is in."""
    if f not in protocol.FUNCTIONS:
        return "no rule"
    return "constant" if isinstance(protocol.FUNCTIONS[f], functools.partial) else "rule"


# Functions without a rule, outside of linear algebra and Fourier transforms: records, text, dates, bits and files.
NO_RULE = """
    busday_count busday_offset is_busday datetime_as_string packbits unpackbits save savetxt savez savez_compressed
    loadtxt genfromtxt frombuffer fromfile fromstring fromiter fromfunction
""".split()


# Modules that are in the list only once something has imported them, or that are tested elsewhere.
ELSEWHERE = tuple(
    f"numpy.{module}." for module in ("linalg", "fft", "lib.recfunctions", "strings", "char", "polynomial.polynomial")
)


def test_the_lists_are_whole():
    missing = {
        name.rpartition(".")[2] for name, f in FUNCTIONS.items()
        if kind(f) == "no rule" and not name.startswith(ELSEWHERE)
    }  # fmt: skip
    assert missing == set(NO_RULE)
    assert len(FUNCTIONS) > 290


def test_rules_are_those_of_functions_that_numpy_lets_override():
    strangers = [f for f in protocol.FUNCTIONS if f not in FUNCTIONS.values()]
    assert strangers == []


# Functions that dispatch on like= alone, and those that want a name or a list first.
CALLS = {
    "savez": lambda x: np.savez("", x),
    "savez_compressed": lambda x: np.savez_compressed("", x),
    "multi_dot": lambda x: np.linalg.multi_dot([x, x]),
    "stack_arrays": lambda x: numpy.lib.recfunctions.stack_arrays([x, x]),
    "merge_arrays": lambda x: numpy.lib.recfunctions.merge_arrays([x, x]),
    "frombuffer": lambda x: np.frombuffer(b"", like=x),
    "fromfile": lambda x: np.fromfile("", like=x),
    "fromfunction": lambda x: np.fromfunction(lambda i: i, (3,), like=x),
    "fromiter": lambda x: np.fromiter([1.0], float, like=x),
    "fromstring": lambda x: np.fromstring("1 2", sep=" ", like=x),
    "genfromtxt": lambda x: np.genfromtxt([], like=x),
    "loadtxt": lambda x: np.loadtxt([], like=x),
}


def called(name, f, x):
    """A call of a function with x for all that it must be given."""
    if name.rpartition(".")[2] in CALLS:
        return CALLS[name.rpartition(".")[2]](x)
    try:
        parameters = inspect.signature(f).parameters.values()
        count = sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
        several = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    except ValueError:
        count, several = 1, False
    return f(*[x] * max(count, 1 if several or count == 0 else 0))


@pytest.mark.parametrize("name", [name for name, f in FUNCTIONS.items() if kind(f) == "no rule"])
@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_functions_without_a_rule_say_so(name, mode):
    def f(x):
        return np.sum(called(name, FUNCTIONS[name], x))

    with pytest.raises(dt.NoRuleError) as info:
        dt.jacobian(f, X, mode=mode)
    message = str(info.value)
    assert name.replace("numpy", "np", 1) in message
    assert f"{os.path.basename(__file__)}:" in message
    assert "To add a rule" in message


def is_plain(x):
    """Whether nothing in a result is traced."""
    if isinstance(x, tuple | list):
        return all(map(is_plain, x))
    return not isinstance(x, Array | Traced) or level_of(x) == 0


@pytest.mark.parametrize("name", [name for name, f in FUNCTIONS.items() if kind(f) == "constant"])
def test_constants_are_plain(name):
    def f(x):
        try:
            assert is_plain(called(name, FUNCTIONS[name], x))
        except dt.DualtapeError:
            raise
        except (TypeError, ValueError, IndexError):
            pass  # NumPy wants other arguments
        return np.sum(x)

    dt.gradient(f, X)
    dt.pushforward(f, X, X)


@pytest.mark.parametrize("name", UFUNCS)
def test_ufuncs(name):
    ufunc = UFUNCS[name]

    def f(x):
        out = ufunc(*[x] * ufunc.nin)
        parts = out if isinstance(out, tuple) else (out,)
        if name in protocol.PLAIN:
            assert all(map(is_plain, parts))
        else:
            assert not all(map(is_plain, parts))
        return np.sum(x)

    for differentiate in (dt.gradient, lambda f, x: dt.pushforward(f, x, x)):
        if protocol.known(ufunc):
            x = X if name not in ("matvec", "vecmat") else None
            if x is not None and not name.startswith(("bitwise", "invert")):
                differentiate(f if name != "ldexp" else lambda x: np.sum(np.ldexp(x, 2)), X + 1.0)
        else:
            with pytest.raises(dt.NoRuleError, match=name):
                differentiate(f, X)
