"""Every row of the rule table that is a ufunc, on arrays, and the methods and keywords of ufuncs."""

import contextlib
import operator

import mpmath
import numpy as np
import pytest
import scipy.special

import dualtape as dt
from arrays.random_programs import check, check_case, close, weights
from dualtape.errors import NoRuleError
from dualtape.rules.table import RULES
from rules.rule_oracle import derivatives

ROWS = [(rule, name) for rule in RULES for name in rule.ufuncs]
ids = pytest.mark.parametrize(("rule", "name"), ROWS, ids=[name for _, name in ROWS])


def find(name):
    module, _, name = name.rpartition(".")
    return getattr({"numpy": np, "scipy.special": scipy.special}[module], name)


def sample(rule, shape=(2, 3), seed=0):
    """One array for each argument, inside of its domain and moderate; orders are integers."""
    generator = np.random.default_rng(seed)
    arrays = []
    for (low, high), partial in zip(rule.domain, rule.partials, strict=True):
        if partial is None:
            arrays.append(generator.integers(low, high + 1, shape).astype(float))
            continue
        low, high = max(low, -2.7), min(high, 3.3)
        arrays.append(generator.uniform(low + 0.05 * (high - low), high - 0.05 * (high - low), shape))
    return arrays


def variables(rule, function, arrays):
    """The places of the arguments that are no orders, those arguments, and the function of them."""
    places = [i for i, partial in enumerate(rule.partials) if partial is not None]

    def of_variables(*xs, **keywords):
        everything = list(arrays)
        for i, x in zip(places, xs, strict=True):
            everything[i] = x
        return function(*everything, **keywords)

    return places, [arrays[i] for i in places], of_variables


def partials(rule, arrays):
    """Value, first and second partials of a row at every entry, from mpmath."""
    n, shape = rule.arity, arrays[0].shape
    first, second = np.zeros((n, *shape)), np.zeros((n, n, *shape))
    for place in np.ndindex(shape):
        _, d, dd = derivatives(rule, [float(a[place]) for a in arrays])
        for i in range(n):
            first[(i, *place)] = float(d[i] or 0)
        for i, j in dd:
            second[(i, j, *place)] = second[(j, i, *place)] = float(dd[i, j])
    return first, second


@ids
def test_derivatives_on_arrays(rule, name):
    arrays = sample(rule)
    first, second = partials(rule, arrays)
    places, arrays, ufunc = variables(rule, find(name), arrays)
    first, second = first[places], second[places][:, places]
    bars = weights((2, 3), 1)
    value, back = dt.pullback(lambda *xs: ufunc(*xs), *arrays)
    close(value, ufunc(*arrays), 1e-14)
    arity = len(places)
    slopes = back(bars) if arity > 1 else (back(bars),)
    tangents = [weights((2, 3), 2 + i) for i in range(arity)]
    for i in range(arity):
        close(slopes[i], first[i] * bars, 1e-12, f"partial {i}")
        f = lambda x, i=i: ufunc(*arrays[:i], x, *arrays[i + 1 :])
        close(dt.gradient(lambda x: np.sum(f(x) * bars), arrays[i]), first[i] * bars, 1e-12)
        close(dt.pushforward(f, arrays[i], tangents[i])[1], first[i] * tangents[i], 1e-12)
    scalar = lambda xs: np.sum(ufunc(*xs) * bars)
    close(dt.pushforward(lambda xs: ufunc(*xs), arrays, tangents)[1], sum(first * tangents), 1e-12)
    expected = [bars * sum(second[i] * tangents) for i in range(arity)]
    over = {
        "hvp": lambda: dt.hvp(scalar, arrays, tangents),
        "forward over reverse": lambda: dt.pushforward(lambda xs: dt.gradient(scalar, xs), arrays, tangents)[1],
        "reverse over forward": lambda: dt.gradient(lambda xs: dt.pushforward(scalar, xs, tangents)[1], arrays),
        "reverse over reverse": lambda: dt.gradient(
            lambda xs: sum(np.sum(g * t) for g, t in zip(dt.gradient(scalar, xs), tangents, strict=True)), arrays
        ),
    }
    for mode, find_ in over.items():
        for found, wanted in zip(find_(), expected, strict=True):
            close(found, wanted, 1e-10, mode)


@ids
def test_out_where_and_broadcasting(rule, name):
    ufunc, arrays = find(name), sample(rule)
    first, _ = partials(rule, arrays)
    mask = np.array([[True, False, True], [False, True, True]])
    for i in variables(rule, ufunc, arrays)[0]:

        def into(x, i=i, **keywords):
            out = dt.zeros((2, 3))
            result = ufunc(*arrays[:i], x, *arrays[i + 1 :], out=out, **keywords)
            assert result is out
            return out

        for f in (into, lambda x: into(x, where=mask)):
            keep = mask if f is not into else True
            close(dt.pullback(f, arrays[i])[0], np.where(keep, ufunc(*arrays), 0.0), 1e-14)
            close(dt.gradient(lambda x: np.sum(f(x)), arrays[i]), np.where(keep, first[i], 0.0), 1e-12)
            close(dt.pushforward(f, arrays[i], np.ones((2, 3)))[1], np.where(keep, first[i], 0.0), 1e-12)
        if rule.arity == 1:
            continue
        # One entry of this argument against all of the others.
        x = arrays[i].copy()
        x[...] = x[0, 0]
        spread, _ = partials(rule, [*arrays[:i], x, *arrays[i + 1 :]])
        f = lambda x, i=i: ufunc(*arrays[:i], x, *arrays[i + 1 :])
        close(dt.gradient(lambda x: np.sum(f(x)), x[:1, :1]), np.sum(spread[i]).reshape(1, 1), 1e-11)
        close(dt.gradient(lambda x: np.sum(f(x)), x[0, 0]), np.sum(spread[i]), 1e-11)


@ids
def test_float32(rule, name):
    arrays = [a.astype(np.float32) for a in sample(rule)]
    first, _ = partials(rule, [a.astype(float) for a in arrays])
    places, arrays, ufunc = variables(rule, find(name), arrays)
    first = first[places]
    plain = ufunc(*arrays)
    value, back = dt.pullback(lambda *xs: ufunc(*xs), *arrays)
    assert value.dtype == plain.dtype
    np.testing.assert_allclose(value, plain, rtol=1e-5)
    slopes = back(np.ones((2, 3), dtype=plain.dtype))
    for slope, expected in zip(slopes if len(places) > 1 else (slopes,), first, strict=True):
        assert slope.dtype == np.float32
        np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-4)


ORDERED = [(rule, name) for rule, name in ROWS if None in rule.partials and not rule.constant]


@pytest.mark.parametrize(("rule", "name"), ORDERED, ids=[name for _, name in ORDERED])
def test_traced_orders_are_refused(rule, name):
    ufunc, arrays = find(name), sample(rule)
    for k, partial in enumerate(rule.partials):
        if partial is not None:
            continue
        of_array = lambda n, k=k: np.sum(ufunc(*arrays[:k], n, *arrays[k + 1 :]))
        of_number = lambda n, k=k: ufunc(*[float(a[0, 0]) for a in arrays[:k]], n, *[a[0, 0] for a in arrays[k + 1 :]])
        both = lambda n, k=k: np.sum(ufunc(*[n if j == k else n * 0.0 + a for j, a in enumerate(arrays)]))
        for f, n in ((of_array, arrays[k]), (of_array, 2.0), (of_number, 2.0), (both, arrays[k])):
            for differentiate in (dt.gradient, lambda f, n: dt.pushforward(f, n, np.ones_like(n)), dt.jacobian):
                with pytest.raises(NoRuleError, match="order"):
                    differentiate(f, n)


def test_orders_that_are_no_integers():
    x = np.array([0.4, 1.9])
    for ufunc, function in (
        (scipy.special.jv, mpmath.besselj),
        (scipy.special.iv, mpmath.besseli),
        (scipy.special.ive, lambda n, x: mpmath.exp(-x) * mpmath.besseli(n, x)),
    ):
        for n in (0.5, -0.5, 1.3, -2.0):
            wanted = [float(mpmath.diff(lambda t, n=n, f=function: f(n, t), c)) for c in x]
            close(dt.gradient(lambda x, n=n, u=ufunc: np.sum(u(n, x)), x), np.array(wanted), 1e-12)
            close(dt.derivative(lambda x, n=n, u=ufunc: u(n, x))(x[0]), wanted[0], 1e-12)
            twice = [float(mpmath.diff(lambda t, n=n, f=function: f(n, t), c, 2)) for c in x]
            close(dt.derivative(dt.derivative(lambda x, n=n, u=ufunc: u(n, x)))(x[0]), twice[0], 1e-11)


COMPLEX_ROWS = [(rule, name) for rule, name in ROWS if name.startswith("numpy.") and not rule.constant]
COMPLEX_ROWS = [(rule, name) for rule, name in COMPLEX_ROWS if "D->D" in getattr(find(name), "types", ())]


@pytest.mark.parametrize(("rule", "name"), COMPLEX_ROWS, ids=[name for _, name in COMPLEX_ROWS])
def test_complex128(rule, name):
    z = 0.3 * sample(rule)[0] + 0.2j * weights((2, 3), 4) + 0.5
    with mpmath.workdps(40):
        f = eval(f"lambda x: {rule.oracle}", {"mp": mpmath.mp})
        slope = np.array([complex(mpmath.diff(f, mpmath.mpc(c))) for c in z.ravel()]).reshape(z.shape)
    bars = weights((2, 3), 1) + 1j * weights((2, 3), 2)
    close(dt.pullback(find(name), z)[1](bars), bars * slope.conj(), 1e-12)
    close(dt.pushforward(find(name), z, bars)[1], bars * slope, 1e-12)


# --- methods of binary ufuncs ---------------------------------------------------------------------------------------

METHODS = {
    "add.reduce": ((2, 3), lambda x: np.add.reduce(x)),
    "add.reduce axis": ((2, 3), lambda x: np.add.reduce(x, axis=1, keepdims=True)),
    "add.reduce axes": ((2, 3), lambda x: np.add.reduce(x, axis=(0, 1))),
    "add.reduce initial": ((2, 3), lambda x: np.add.reduce(x, axis=None, initial=x[0, 0], where=x.real > 0)),
    "multiply.reduce": ((2, 3), lambda x: np.multiply.reduce(x, axis=1)),
    "maximum.reduce": ((2, 3), lambda x: np.maximum.reduce(x, axis=0)),
    "minimum.reduce": ((2, 3), lambda x: np.minimum.reduce(x, axis=None)),
    "subtract.reduce": ((4,), lambda x: np.subtract.reduce(x)),
    "divide.reduce": ((3, 2), lambda x: np.divide.reduce(x, axis=0)),
    "add.accumulate": ((2, 3), lambda x: np.add.accumulate(x, axis=1)),
    "multiply.accumulate": ((2, 3), lambda x: np.multiply.accumulate(x, axis=1)),
    "maximum.accumulate": ((4,), lambda x: np.maximum.accumulate(x)),
    "subtract.accumulate": ((4,), lambda x: np.subtract.accumulate(x)),
    "add.outer": ((2, 3), lambda x: np.add.outer(x[0], x)),
    "multiply.outer": ((2, 3), lambda x: np.multiply.outer(x, weights((2,)))),
    "multiply.outer of plain": ((3,), lambda x: np.multiply.outer(weights((2,)), x)),
    "subtract.outer": ((3,), lambda x: np.subtract.outer(x, x)),
    "divide.outer": ((3,), lambda x: np.divide.outer(x, x)),
    "power.outer": ((3,), lambda x: np.power.outer(x + 2.0, x)),
    "arctan2-like outer": ((3,), lambda x: np.maximum.outer(x, x[:2] + 0.1)),
    "add.reduceat": ((5,), lambda x: np.add.reduceat(x, [0, 3, 1])),
    "dtype": ((3,), lambda x: np.add(x, x, dtype=x.dtype) * np.sin(x, dtype=x.dtype)),
    "casting and order": ((2, 3), lambda x: np.multiply(x, x, casting="same_kind", order="F")),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    shape, f = METHODS[name]
    check(f, weights(shape, 1))


CHANGES = {
    "add.at": lambda y, x: np.add.at(y, [0, 2, 0], x[:3]),
    "add.at of a number": lambda y, x: np.add.at(y, [0, 2, 0], 2.0),
    "add.at of a scalar": lambda y, x: np.add.at(y, [0, 2, 0], x[3]),
    "subtract.at": lambda y, x: np.subtract.at(y, [1, 1], x[:2]),
    "multiply.at": lambda y, x: np.multiply.at(y, [0, 2, 0], x[:3]),
    "divide.at": lambda y, x: np.divide.at(y, [0, 2, 0], 2.0 + x[:3]),
    "maximum.at": lambda y, x: np.maximum.at(y, [0, 2, 0], x[1:]),
    "negative.at": lambda y, x: np.negative.at(y, [0, 0, 1]),
    "sin.at": lambda y, x: np.sin.at(y, [3, 3]),
    "add.at of itself": lambda y, x: np.add.at(y, [0, 1], y[1:3]),
    "out of a method": lambda y, x: np.add.accumulate(x, out=y),
    "out of reduce": lambda y, x: np.multiply.reduce(x.reshape(2, 2), axis=1, out=y[:2]),
    "out is an operand": lambda y, x: np.multiply(y, x, out=y),
    "out as a tuple": lambda y, x: np.exp(x, out=(y,)),
    "where and out": lambda y, x: np.sin(x, out=y, where=x.real > 0),
    "where broadcasts": lambda y, x: np.add(x, 1.0, out=y, where=np.array([True])),
}


@pytest.mark.parametrize("name", CHANGES)
def test_methods_that_change_an_array(name):
    change = CHANGES[name]

    def traced(x, dt):
        y = x[::-1] * x
        change(y, x)
        return y * x

    def created(x, dt):
        y = dt.ones(4)
        change(y, x)
        return y

    x = 0.9 * weights((4,), 1)
    check_case(traced, x)
    check_case(created, x)


# --- comparisons and what is not differentiated ---------------------------------------------------------------------

COMPARISONS = [np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal]
COMPARISONS += [np.logical_and, np.logical_or, np.logical_xor]


@pytest.mark.parametrize("ufunc", COMPARISONS, ids=lambda u: u.__name__)
@pytest.mark.parametrize("other", [0.25, np.array([1.0, 0.5, 0.0]), np.ones((2, 1)), [0.0, 0.5, 2.0]], ids=str)
def test_comparisons_are_plain(ufunc, other):
    x, seen = np.array([0.0, 0.5, 1.0]), []

    def f(x):
        seen.extend([ufunc(x, other), ufunc(other, x), ufunc(x, x[::-1])])
        return np.sum(x)

    dt.gradient(f, x)
    dt.pushforward(f, x, x)
    dt.hvp(f, x, x)
    expected = [ufunc(x, other), ufunc(other, x), ufunc(x, x[::-1])]
    for k, mask in enumerate(seen):
        assert type(mask) is np.ndarray and mask.dtype == bool
        np.testing.assert_array_equal(mask, expected[k % 3])


PREDICATES = [np.isnan, np.isfinite, np.isinf, np.signbit, np.logical_not]


@pytest.mark.parametrize("ufunc", PREDICATES, ids=lambda u: u.__name__)
def test_predicates_are_plain(ufunc):
    x, seen = np.array([0.0, -0.5, np.inf, np.nan]), []
    f = lambda x: seen.append(ufunc(x)) or x[0]
    dt.gradient(f, x)
    dt.pushforward(f, x, x)
    for mask in seen:
        assert type(mask) is np.ndarray
        np.testing.assert_array_equal(mask, ufunc(x))


@pytest.mark.parametrize("ufunc", [np.floor, np.ceil, np.trunc, np.rint, np.sign], ids=lambda u: u.__name__)
def test_piecewise_constant_ufuncs_have_slope_zero(ufunc):
    x = np.array([0.3, -1.7, 2.6])
    for f in (lambda x: np.sum(ufunc(x) * x), lambda x: np.sum(ufunc(x * 1.0) * x)):
        close(dt.gradient(f, x), ufunc(x), 1e-15)
        close(dt.jacobian(f, x, mode="forward"), ufunc(x), 1e-15)
        close(dt.hvp(f, x, x), np.zeros(3), 1e-15)


@pytest.mark.parametrize("ufunc", [np.modf, np.frexp, np.divmod], ids=lambda u: u.__name__)
def test_ufuncs_of_two_results_work_or_say_that_they_have_no_rule(ufunc):
    x = np.array([0.3, -1.7, 2.6])
    f = lambda x: np.sum(ufunc(x, 0.7)[1] if ufunc is np.divmod else ufunc(x)[0])
    expected = 0.5 ** np.frexp(x)[1] if ufunc is np.frexp else np.ones(3)
    with contextlib.suppress(dt.NoRuleError):
        close(dt.gradient(f, x), expected, 1e-15)


# --- arrays beyond every buffer and block ---------------------------------------------------------------------------

ORDER = np.random.default_rng(1).integers(0, 30_000, 30_000)
LARGE = {
    "elementwise": lambda x: np.sin(x) * np.exp(-x * x) / (2.0 + x[::-1]) + np.sqrt(3.0 + x) ** 3,
    "overlapping": lambda x: operator.iadd(x[1:], x[:-1]) * operator.imul(x[:-1], x[1:]),
    "overlapping out": lambda x: np.multiply(x[:-2], x[2:], out=x[1:-1]) + np.add(x[1:], x[:-1], out=x[:-1])[1:],
    "reversed onto itself": lambda x: np.multiply(x, x[::-1], out=x) + operator.iadd(x[::2], x[1::2])[0],
    "strided": lambda x: x[::3] * x[1::3] + x[::-3] * x[2::3],
    "transposed": lambda x: (x.reshape(100, 300).T * x.reshape(300, 100)).reshape(-1) * x,
    "transposed onto itself": lambda x: (
        operator.iadd(x[:10_000].reshape(100, 100), x[:10_000].reshape(100, 100).T) ** 2
    ),
    "broadcast": lambda x: x.reshape(100, 300) * x[:300] + x.reshape(100, 3, 100)[:, 0, :1],
    "reductions": lambda x: (
        np.sum(x) * np.sum(x.reshape(100, 300), axis=0) + np.mean(x.reshape(3, 100, 100), axis=(0, 2))[0]
    ),
    "prod and max": lambda x: np.prod(1.0 + 1e-4 * x) * np.max(x) * np.min(x.reshape(300, 100), axis=1),
    "cumsum": lambda x: np.cumsum(x) / 1e3 + np.cumsum(x.reshape(100, 300), axis=0).reshape(-1) / 1e2,
    "fancy": lambda x: x[ORDER] * x + (operator.setitem(x, ORDER, x[ORDER[::-1]] ** 2) or x) + x[ORDER[::-1]],
    "masks": lambda x: np.where(x.real > 0.2, x * x, np.sin(x)) * x[ORDER] + np.sum(x[x.real > 0] ** 2),
    "matmul": lambda x: x[:20_000].reshape(100, 200) @ x[-20_000:].reshape(200, 100) / 1e2,
    "sort": lambda x: x.sort() or x * np.arange(30_000.0) / 1e4,
    "concatenate": lambda x: np.concatenate([x[:10_000], x[5_000:], x[:7]]) ** 2,
}


@pytest.mark.parametrize("name", LARGE)
def test_large_arrays(name):
    f, x, v = LARGE[name], np.sin(np.arange(30_000.0) ** 1.1), np.cos(np.arange(30_000.0) ** 1.2)
    plain = f(x.copy())
    bars = np.cos(np.arange(plain.size) * 1.3).reshape(plain.shape)
    expected = np.sum(bars * f(x + 1e-30j * v)).imag / 1e-30
    value, tangent = dt.pushforward(f, x, v)
    close(value, plain, 1e-12)
    scale = np.sum(np.abs(bars * tangent))
    assert abs(np.sum(bars * tangent) - expected) < 1e-12 * scale
    assert abs(np.sum(dt.pullback(f, x)[1](bars) * v) - expected) < 1e-12 * scale
    total = lambda x: np.sum(bars * f(x) ** 2)
    curved = dt.gradient(lambda y: dt.pushforward(total, y, v)[1], x)
    close(dt.hvp(total, x, v), curved, 1e-10)


def test_protocol_called_by_hand():
    """What the protocol's method makes of odd arguments."""

    def f(x):
        with pytest.raises(TypeError):
            x.__array_ufunc__()
        with pytest.raises(TypeError):
            x.__array_ufunc__(np.sin)
        return x.__array_ufunc__(np.multiply, "__call__", x, 2.0).sum() + np.add(x, x, out=None, dtype=float).sum()

    np.testing.assert_array_equal(dt.gradient(f, np.ones(3)), [4.0, 4.0, 4.0])
