"""NumPy's scalars, 0-d arrays, ufuncs and object arrays together with traced values."""

import math
import operator

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose

import dualtape as dt
from dualtape.rules.table import RULES
from modes import FIRST, SECOND

modes = pytest.mark.parametrize("differentiate", FIRST.values(), ids=FIRST)


def traced(x):
    return isinstance(x, dt.Dual | dt.Var)


@pytest.mark.parametrize("make", [lambda v: dt.Dual(v, 1.0), lambda v: dt.Tape().variable(v)], ids=["Dual", "Var"])
@pytest.mark.parametrize("scalar", [np.float64(2.0), np.float32(2.0), np.int64(2), np.int8(2), np.array(2.0)], ids=repr)
@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod])
def test_a_numpy_scalar_on_either_side_gives_a_traced_scalar(make, scalar, op):
    x = make(3.0)
    assert traced(op(scalar, x)) and traced(op(x, scalar))
    assert op(scalar, x).value == op(2.0, 3.0)
    assert op(x, scalar).value == op(3.0, 2.0)


@modes
def test_numpy_scalars_as_constants(differentiate):
    assert differentiate(lambda x: np.float64(2.0) * x * np.int32(3), 1.5) == 6.0
    assert differentiate(lambda x: np.float64(2.0) / x, 2.0) == -0.5
    assert differentiate(lambda x: np.float64(2.0) ** x, 2.0) == pytest.approx(4 * math.log(2), rel=1e-15)
    assert differentiate(lambda x: np.array(2.0) * x, 1.5) == 2.0
    assert differentiate(lambda x: np.float64(3.0) if np.float64(1.0) < x else x, 1.5) == 0.0


@pytest.mark.parametrize("kind", [float, int, np.float64, np.float32, np.int64, np.array], ids=lambda t: t.__name__)
@pytest.mark.parametrize("operator_", [dt.derivative, dt.gradient])
def test_numpy_scalars_as_inputs(operator_, kind):
    slope = operator_(lambda x: x * x * x, kind(3.0) if kind is not int else 3)
    assert slope == 27.0
    if kind is np.float32:
        assert np.asarray(slope).dtype == np.float32
    else:
        assert np.asarray(slope).dtype == np.float64


UFUNC_ROWS = [
    (rule, name) for rule in RULES for name in rule.ufuncs or () if None not in rule.partials and len(rule.args) < 4
]


def find_ufunc(name):
    module, _, name = name.rpartition(".")
    return getattr({"numpy": np, "scipy.special": scipy.special}[module], name)


def sample(rule):
    """A point in the interior of the domain, away from ties and ends."""
    point = []
    for i, (low, high) in enumerate(rule.domain):
        low, high = max(low, -2.0), min(high, 3.0)
        point.append(low + (high - low) * (0.37 + 0.21 * i))
    return point


@pytest.mark.parametrize(("rule", "name"), UFUNC_ROWS, ids=[name for _, name in UFUNC_ROWS])
def test_every_ufunc_of_the_table_on_traced_scalars(rule, name):
    ufunc = find_ufunc(name)
    point = sample(rule)
    expected = ufunc(*map(np.float64, point))
    public = getattr(dt, rule.name, None)
    for i in range(len(point)):

        def f(x, i=i):
            return ufunc(*point[:i], x, *point[i + 1 :])

        value, slope = dt.value_and_gradient(f, point[i])
        assert value == pytest.approx(expected, rel=1e-13)
        assert dt.derivative(f, point[i]) == pytest.approx(slope, rel=1e-13)
        if public is not None:
            assert dt.gradient(lambda *xs: public(*xs), *point, argnums=i) == pytest.approx(slope, rel=1e-13)
        second = dt.hessian(f, point[i])
        for find in SECOND.values():
            assert find(f, point[i]) == pytest.approx(second, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("rule", "name"), UFUNC_ROWS, ids=[name for _, name in UFUNC_ROWS])
def test_every_ufunc_of_the_table_on_object_arrays(rule, name):
    ufunc = find_ufunc(name)
    point = sample(rule)
    if not any(types.startswith("O") for types in getattr(ufunc, "types", "O")):
        # NumPy has no loop over objects for it, and object arrays are NumPy's own: an error, not a wrong number.
        with pytest.raises(TypeError):
            dt.gradient(lambda xs: ufunc(*(np.array([x, x], dtype=object) for x in xs))[0], point)
        return

    def f(xs):
        operands = [np.array([x, x], dtype=object) for x in xs]
        out = ufunc(*operands)
        assert out.shape == (2,)
        return out[0] + 2 * out[1]

    value, slopes = dt.value_and_gradient(f, point)
    assert value == pytest.approx(3 * ufunc(*map(np.float64, point)), rel=1e-13)
    scalar = dt.gradient(lambda xs: 3 * ufunc(*xs), point)
    assert slopes == pytest.approx(scalar, rel=1e-13)


@modes
def test_numpy_functions_spelled_as_numpy_spells_them(differentiate):
    def f(x):
        return np.sin(x) * np.arctan(x) + np.exp(np.log1p(np.square(x))) - np.arcsinh(x) ** 2 + np.power(x, 3)

    step = 1e-20
    z = complex(0.7, step)
    expected = (np.sin(z) * np.arctan(z) + 1 + z**2 - np.arcsinh(z) ** 2 + z**3).imag / step
    assert differentiate(f, 0.7) == pytest.approx(expected, rel=1e-14)


@modes
def test_object_arrays_of_traced_scalars(differentiate):
    def f(x):
        v = np.array([x, 2 * x, x * x], dtype=object)
        w = v * v + np.arange(3.0)
        return w.sum() + v @ v + np.dot(v, [1.0, 2.0, 3.0]) + v.prod() + v[::-1][0] + v.mean()

    x = 1.5
    expected = (2 * x + 8 * x + 4 * x**3) * 2 + (1 + 4 + 6 * x) + 8 * x**3 + 2 * x + (3 + 2 * x) / 3
    assert differentiate(f, x) == pytest.approx(expected, rel=1e-14)


@modes
def test_float_arrays_times_traced_scalars(differentiate):
    a = np.arange(1.0, 4.0)
    assert differentiate(lambda x: (a * x).sum(), 2.0) == 6.0
    assert differentiate(lambda x: (x * a).sum(), 2.0) == 6.0
    assert differentiate(lambda x: (x / a).sum(), 2.0) == pytest.approx(1 + 1 / 2 + 1 / 3, rel=1e-15)
    assert differentiate(lambda x: (a**x).sum(), 2.0) == pytest.approx((a**2 * np.log(a)).sum(), rel=1e-15)
    assert differentiate(lambda x: np.sum(x - a[None, :] * a[:, None]), 2.0) == 9.0


@modes
def test_comparisons_with_arrays_select(differentiate):
    a = np.array([1.0, 2.0, 3.0])
    assert differentiate(lambda x: float((a < x).sum()) * x, 2.5) == 2.0
    assert differentiate(lambda x: sum(a[(a > x).astype(bool)]) * x, 1.5) == 5.0


def test_elements_of_an_array_argument_are_traced_scalars():
    seen = []

    def f(a):
        seen.append((type(a), type(a[0, 0]), a.shape))
        total = 0.0
        for i in range(a.shape[0]):
            for j in range(a.shape[1]):
                total = total + (i + 2 * j + 1) * a[i, j] ** 2
        return total

    a = np.arange(6.0).reshape(2, 3)
    weights = np.arange(2)[:, None] + 2 * np.arange(3) + 1
    slope = dt.gradient(f, a)
    assert seen == [(dt.VarArray, dt.Var, (2, 3))]
    assert slope.dtype == np.float64 and slope.shape == (2, 3)
    assert_allclose(slope, 2 * weights * a, rtol=1e-15)


@pytest.mark.parametrize(
    ("dtype", "out"),
    [("float64", "float64"), ("float32", "float32"), ("int64", "float64"), ("int32", "float64"), ("uint8", "float64")],
)
def test_dtypes_of_gradients(dtype, out):
    a = np.array([1, 2, 3], dtype=dtype)
    slope = dt.gradient(lambda v: sum(x * x for x in v), a)
    assert slope.dtype == out
    assert_allclose(slope, [2, 4, 6])


@pytest.mark.parametrize("order", ["C", "F", "strided", "negative", "read-only", "0-d", "empty"])
def test_layouts_of_array_arguments(order):
    a = np.arange(24.0).reshape(4, 6)
    if order == "F":
        a = np.asfortranarray(a)
    elif order == "strided":
        a = a[::2, 1::2]
    elif order == "negative":
        a = a[::-1, ::-1]
    elif order == "read-only":
        a.flags.writeable = False
    elif order == "0-d":
        a = np.array(3.0)
    elif order == "empty":
        a = np.zeros((0, 3))
    before = a.copy()
    slope = dt.gradient(lambda v: (v * v * v).sum(), a)
    assert slope.shape == a.shape
    assert_allclose(slope, 3 * before**2)
    assert_allclose(a, before)


def test_inputs_are_never_modified():
    a = np.array([1.0, 2.0, 3.0])

    def f(v):
        v[0] = v[1] * v[2]
        v[1:] *= 2.0
        return v[0] * v[1] + v[2]

    assert_allclose(dt.gradient(f, a), [0.0, 2 * 2 * 2.0 * 3.0, 2 * 2.0**2 + 2])
    assert_allclose(a, [1.0, 2.0, 3.0])
    nested = [1.0, [2.0, 3.0]]

    def g(v):
        v[1][0] = v[0] * v[1][1]
        v.append(1.0)
        return v[1][0] * v[1][1]

    assert dt.gradient(g, nested) == [9.0, [0.0, 6.0]]
    assert nested == [1.0, [2.0, 3.0]]


def test_boolean_arrays_are_refused():
    with pytest.raises(TypeError, match="bool"):
        dt.gradient(lambda v: 1.0, np.ones(3, dtype=bool))


def test_np_array_with_object_dtype_holds_traced_values():
    def f(x, y):
        v = np.array([x, y], dtype=object)
        assert v.shape == (2,) and all(map(traced, v))
        m = np.array([[x, 1.0], [y, x]], dtype=object)
        assert m.shape == (2, 2)
        return v[0] * v[1] + m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]

    assert dt.gradient(f, 3.0, 4.0) == (4.0 + 6.0, 3.0 - 1.0)


def test_ufuncs_outside_the_table_raise_and_name_the_function():
    for differentiate in (dt.derivative, dt.gradient):
        with pytest.raises(TypeError, match="spence") as info:
            differentiate(lambda x: scipy.special.spence(x), 1.5)
        assert isinstance(info.value, dt.DualtapeError)
        with pytest.raises(TypeError, match="nextafter"):
            differentiate(lambda x: np.nextafter(x, 0.5), 1.5)


def test_ufunc_at_changes_the_array_it_is_given():
    def f(x):
        a = np.zeros(2, dtype=object)
        np.add.at(a, [0, 0, 1], x * x)
        return a[0] + 10 * a[1]

    for differentiate in (dt.derivative, dt.gradient):
        assert differentiate(f, 3.0) == 6.0 * 2 + 60.0
        with pytest.raises(TypeError):
            differentiate(lambda x: np.add.at(np.zeros(2), [0], x) or x, 3.0)


def test_ufunc_methods_and_outputs():
    def f(x):
        v = np.array([x, 2 * x], dtype=object)
        out = np.empty(2, dtype=object)
        np.multiply(v, v, out=out)
        return np.add.reduce(out) + np.multiply.accumulate(v)[-1] + np.multiply.outer(v, v).sum()

    assert dt.gradient(f, 1.5) == pytest.approx(2 * 1.5 * (5 + 2 + 9))
    with pytest.raises(TypeError):
        dt.gradient(lambda x: np.add(x, 1.0, out=np.zeros(())), 1.0)


def test_elements_copy_and_conjugate_as_numpys_scalars():
    def f(x):
        return x[0].copy() * x[1].conj() + x[1].copy()

    np.testing.assert_array_equal(dt.gradient(f, np.array([2.0, 3.0])), [3.0, 3.0])
    np.testing.assert_array_equal(dt.hessian(f, np.array([2.0, 3.0])), [[0.0, 1.0], [1.0, 0.0]])
    assert dt.derivative(lambda x: (x * x).copy().conj(), 2.0) == 4.0
