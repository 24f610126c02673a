"""Every row against mpmath: value, first and second partials, across its domain and out to its reach."""

import math

import pytest
from mpmath import mp

from dualtape.core import kernels
from dualtape.rules.table import ALIASES, BY_NAME, INDEX, RULES
from rules.rule_oracle import derivatives, points

COUNT = 25
TOLERANCE = {0: 1e-14, 1: 1e-13, 2: 1e-11}
ULP = 2.0**-52

every_row = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


def found(rule, point):
    """All derivatives of a row by the kernels, keyed by the arguments that they are by."""
    index, pairs = INDEX[rule.name], [(i, j) for i in range(rule.arity) for j in range(i, rule.arity)]
    first = kernels.partials(index, *point)
    second = kernels.second(index, *point)
    return (
        {(): kernels.evaluate(index, *point)}
        | {(i,): d for i, d in enumerate(first)}
        | dict(zip(pairs, second, strict=True))
    )


def expected(rule, point):
    """The same by mpmath."""
    value, first, second = derivatives(rule, point)
    wanted = {(): value} | {(i,): d for i, d in enumerate(first) if d is not None} | second
    return {key: mp.re(d) for key, d in wanted.items()}


def close(got, want, tolerance):
    """Relative agreement; what has no full precision in float64 counts as 0, what overflows as infinite."""
    if abs(want) < 1e-300:
        return abs(got) < 1.1e-300
    if abs(want) > 1e300:
        return abs(got) > 0.9e300 and got * want > 0
    return math.isfinite(got) and abs(got - want) <= tolerance * abs(want)


@every_row
def test_row_against_its_oracle(rule):
    for point in points(rule, COUNT):
        got, want, moved = found(rule, point), expected(rule, point), None
        for key, d in want.items():
            if close(got[key], d, TOLERANCE[len(key)]):
                continue
            # Near a zero of the function no relative error can be small: there, the answer must lie within what a
            # change of the arguments in their last two bits would make of it.
            if moved is None:
                moved = [
                    expected(rule, [x + k * ULP * abs(x) * (i == place) for i, x in enumerate(point)])
                    for place in range(rule.arity)
                    if rule.partials[place] is not None
                    for k in (-4, 4)
                ]
            spread = max(abs(other[key] - d) for other in moved)
            assert abs(got[key] - d) <= spread, (rule.name, point, key, got[key], mp.nstr(d, 17))


def same(got, want):
    """Exactly equal, sign of zero and NaN included."""
    return math.isnan(got) if math.isnan(want) else got == want and math.copysign(1, got) == math.copysign(1, want)


SPECIAL = [(rule, point) for rule in RULES for point in rule.special]


@pytest.mark.parametrize(("rule", "point"), SPECIAL, ids=lambda x: getattr(x, "name", None) or str(x.args))
def test_special_points_are_exact(rule, point):
    index = INDEX[rule.name]
    if point.value is not None:
        assert same(kernels.evaluate(index, *point.args), point.value)
    for got, want in zip(kernels.partials(index, *point.args), point.partials, strict=True):
        assert want is None or got == want or same(got, want), (got, want)


# Where the plain formula overflows, underflows, or has no digits left: (row, arguments, place, derivative).
EXTREMES = [
    ("softplus", (-1000.0,), (0,), 0.0),
    ("softplus", (1000.0,), (0,), 1.0),
    ("softplus", (1000.0,), (0, 0), 0.0),
    ("sigmoid", (800.0,), (0, 0), 0.0),
    ("sigmoid", (-800.0,), (0, 0), 0.0),
    ("tanh", (800.0,), (0, 0), 0.0),
    ("tanh", (-800.0,), (0,), 0.0),
    ("log_ndtr", (-1e5,), (0,), 100000.000009999999998),
    ("log_ndtr", (-1e5,), (0, 0), -0.9999999999000000001),
    ("log_ndtr", (-1e200,), (0, 0), -1.0),
    ("log_ndtr", (math.inf,), (0,), 0.0),
    ("expm1", (-700.0,), (0,), math.exp(-700.0)),
    ("hypot", (1e200, 1e200), (0,), math.sqrt(0.5)),
    ("hypot", (1e-200, 1e-200), (0,), math.sqrt(0.5)),
    ("hypot", (3e300, 4e300), (0, 1), -0.48 / 5e300),
    ("atan2", (3e160, 4e160), (0,), 0.16e-160),
    ("asinh", (1e200,), (0,), 1e-200),
    ("atan", (1e160,), (0,), 0.0),
    ("acosh", (1e200,), (0,), 1e-200),
    ("logaddexp", (1e4, -1e4), (0, 0), 0.0),
    ("logaddexp", (1e308, 1e308), (0,), 0.5),
    ("logaddexp", (2.0, 2.0), (0, 1), -0.25),
    ("logaddexp2", (2.0, 2.0), (0, 0), 0.25 * math.log(2)),
    ("pow", (-2.0, 5.0), (0,), 80.0),
    ("pow", (-2.0, 5.0), (0, 0), -160.0),
    ("pow", (0.0, 2.0), (0, 0), 2.0),
    ("pow", (0.0, 1.0), (0, 0), 0.0),
    ("pow", (0.0, 0.0), (0, 0), 0.0),
    ("pow", (0.0, 3.0), (1, 1), 0.0),
    ("pow", (0.0, 3.0), (0, 1), 0.0),
    ("pow", (2.0, 0.0), (0, 1), 0.5),
    ("sinc", (0.0,), (0, 0), -(math.pi**2) / 3),
    ("sinc", (1e-200,), (0,), -(math.pi**2) / 3 * 1e-200),
    ("xlogy", (0.0, 2.0), (0, 1), 0.5),
    ("fmod", (2.9999999999999996, 1.0), (1,), -2.0),
    ("fmod", (5.0, math.inf), (1,), 0.0),
    ("mod", (-5e-324, 3.0), (1,), 1.0),
    ("erf", (40.0,), (0, 0), 0.0),
    ("ndtr", (-50.0,), (0,), 0.0),
    ("cbrt", (-8.0,), (0,), 1 / 12),
    ("sqrt", (0.0,), (0, 0), -math.inf),
    ("cbrt", (0.0,), (0, 0), -math.inf),
    ("erf", (math.inf,), (0, 0), 0.0),
    ("erfc", (1e308,), (0, 0), 0.0),
    ("atan", (1e308,), (0, 0), 0.0),
    ("atan", (-math.inf,), (0, 0), 0.0),
    ("asinh", (math.inf,), (0, 0), 0.0),
    ("digamma", (1e200,), (0,), 1e-200),
    ("digamma", (math.inf,), (0,), 0.0),
    ("i0", (1e-310,), (0, 0), 0.5),
    ("i1", (1e-9,), (0, 0), 0.375e-9),
    ("j0", (math.inf,), (0, 0), 0.0),
    ("j1", (1e-9,), (0, 0), -0.375e-9),
    ("i1", (1e4,), (0,), math.inf),
    ("logit", (0.5,), (0, 0), 0.0),
    ("abs", (0.0,), (0, 0), 0.0),
]


@pytest.mark.parametrize(("name", "args", "place", "derivative"), EXTREMES)
def test_extremes(name, args, place, derivative):
    got = found(BY_NAME[name], args)[place]
    assert got == pytest.approx(derivative, rel=1e-14, abs=0)


def test_kernels_do_not_raise():
    for name, args in [("log", (-1.0,)), ("asin", (2.0,)), ("acosh", (0.0,)), ("pow", (-2.0, 0.5)), ("gamma", (-2.0,))]:
        index = INDEX[name]
        assert math.isnan(kernels.evaluate(index, *args))
        assert math.isnan(kernels.partials(index, *args)[0]) or name in ("log", "acosh")
    assert kernels.evaluate(INDEX["div"], 1.0, 0.0) == math.inf
    assert kernels.partials(INDEX["log"], -2.0) == (-0.5,)


def test_values_are_those_of_python():
    for x in (-7.5, -3.0, -0.0, 0.0, 2.25, 7.0):
        for y in (-2.0, 2.0, 0.3, -0.7):
            assert kernels.evaluate(INDEX["mod"], x, y) == x % y
            assert kernels.evaluate(INDEX["floordiv"], x, y) == x // y
            assert kernels.evaluate(INDEX["fmod"], x, y) == math.fmod(x, y)
    for x in (0.5, 1.5, 2.5, -0.5, -1.5, 2.675):
        assert kernels.evaluate(INDEX["round"], x) == round(x)
    for x in (1.1, 0.3, 17.9):
        for y in (2.0, 3.0, 0.5, -1.0):
            assert kernels.evaluate(INDEX["pow"], x, y) == x**y


def test_wrong_calls_of_the_kernels_are_refused():
    with pytest.raises(IndexError):
        kernels.evaluate(len(RULES), 1.0)
    with pytest.raises(IndexError):
        kernels.partials(-1, 1.0)
    with pytest.raises(TypeError):
        kernels.second(INDEX["add"], 1.0)
    with pytest.raises(TypeError):
        kernels.evaluate(INDEX["sin"], "1")


def test_the_rows_are_complete():
    wanted = """
    add sub mul div neg pos abs pow floordiv mod sqrt cbrt square reciprocal exp exp2 expm1 log log2 log10 log1p
    sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh hypot fmod copysign floor ceil trunc round sign
    minimum maximum fmin fmax clip where logaddexp logaddexp2 sigmoid logit softplus relu erf erfc gamma lgamma digamma
    deg2rad rad2deg sinc xlogy i0 i1 j0 j1 ndtr log_ndtr
    """
    assert set(wanted.split()) <= BY_NAME.keys()
    assert [rule.name for rule in RULES[:6]] == ["add", "sub", "mul", "div", "neg", "pow"]
    assert {"radians", "degrees", "fabs", "true_divide"} <= ALIASES.keys()


@every_row
def test_ufuncs_exist(rule):
    numpy = pytest.importorskip("numpy")
    special = pytest.importorskip("scipy.special")
    for name in rule.ufuncs:
        module = {"numpy": numpy, "scipy.special": special}[name.rpartition(".")[0]]
        assert callable(getattr(module, name.rpartition(".")[2]))
    assert rule.doc
