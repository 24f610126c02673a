"""Every function of the array API standard has a rule, has plain results, makes arrays, or says that it has no rule."""

import functools
import inspect
import types

import numpy as np
import pytest

import dualtape as dt
from boxed.cases import CASES, COMPLEX
from dualtape.boxed.front import FUNCTIONS, PLAIN

xp = pytest.importorskip("array_api_strict")

PARTS = {"": xp, "linalg.": xp.linalg, "fft.": xp.fft}
X = np.array([[0.4, 0.7], [0.2, 0.9]])

# Functions that make arrays of no array: they take no traced values.
MAKING = "arange asarray empty eye from_dlpack full linspace ones zeros fft.fftfreq fft.rfftfreq".split()
# What is of integers or whole numbers alone, or has no derivative rule.
NO_RULE = """
    nextafter isin bitwise_and bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor
""".split()
OTHERS = "get_array_api_strict_flags reset_array_api_strict_flags set_array_api_strict_flags".split()

STANDARD = {
    prefix + name: getattr(part, name)
    for prefix, part in PARTS.items()
    for name in part.__all__
    if isinstance(getattr(part, name), types.FunctionType) and name.strip("_") == name and name not in OTHERS
}


def kind(name):
    """In which list a function is."""
    FUNCTIONS["sum"]  # the table is filled when it is first looked into
    return "rule" if name in FUNCTIONS else "plain" if name in PLAIN else "none"


def test_the_lists_are_whole():
    assert {name for name in STANDARD if kind(name) == "none"} == {*NO_RULE, *MAKING}
    assert len(STANDARD) > 160


class Recorder:
    """A namespace that notes which functions are called."""

    def __init__(self, part, called, prefix=""):
        self.__dict__.update(part=part, called=called, prefix=prefix)

    def __getattr__(self, name):
        own = getattr(self.part, name)
        if not self.prefix and name in ("linalg", "fft"):
            return Recorder(own, self.called, f"{name}.")
        self.called.add(self.prefix + name)
        return own


@functools.cache
def called():
    """The functions that the table of cases calls, by their names."""
    out = set()
    for call, points in [*CASES.values(), *COMPLEX.values()]:
        call(Recorder(xp, out), *map(xp.asarray, points))
    return out


def test_every_rule_has_a_case():
    assert {name for name in STANDARD if kind(name) == "rule"} - called() == set()


def needed(f):
    """How many arguments a function needs."""
    return sum(p.default is p.empty and p.kind != p.VAR_KEYWORD for p in inspect.signature(f).parameters.values())


@pytest.mark.parametrize("name", [n for n in STANDARD if kind(n) == "plain"])
def test_plain_results(name):
    def f(x):
        n = x.__array_namespace__()
        args = (
            [x] * needed(STANDARD[name])
            if name not in ("isdtype", "can_cast", "finfo", "iinfo", "broadcast_shapes")
            else None
        )
        if name == "searchsorted":
            args = [x[0, :], x[1, :]]
        if name.startswith("logical_"):
            args = [x > 0.5] * len(args)
        if args is not None:
            own = n
            for part in name.split("."):
                own = getattr(own, part)
            plain = STANDARD[name](*map(dt.stop_gradient, args))
            found = own(*args)
            assert not isinstance(found, dt.BoxedArray)
            for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in (plain, found)), strict=True):
                assert type(a) is type(b) and bool(xp.all(a == b) if hasattr(a, "shape") else a == b)
        return n.sum(x)

    assert np.from_dlpack(dt.gradient(f)(xp.asarray(X))).tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize("name", NO_RULE)
def test_functions_without_a_rule_say_so(name):
    with pytest.raises(dt.NoRuleError, match=name):
        dt.gradient(lambda x: getattr(x.__array_namespace__(), name)(*[x] * needed(STANDARD[name])))(xp.asarray(X))


@pytest.mark.parametrize("name", [n for n in STANDARD if kind(n) == "rule"])
def test_parameters_are_those_of_the_standard(name):
    """Too many positional arguments, and options that no function has, are errors, as they are without derivatives."""
    f = STANDARD[name]
    parameters = inspect.signature(f).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return
    most = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)

    def call(x, options):
        own = x.__array_namespace__()
        for part in name.split("."):
            own = getattr(own, part)
        return own(*[x] * (most + (not options)), **options)

    for options in ({}, {"no_such_option": 1}):
        with pytest.raises(TypeError):
            dt.gradient(lambda x, options=options: call(x, options))(xp.asarray(X))
