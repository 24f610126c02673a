"""Dual: a public value with a float64 primal and n tangents."""

import copy
import math
import pickle

import numpy as np
import pytest

import dualtape as dt


def test_value_and_partials():
    x = dt.Dual(1.0, 2.0, 3.0)
    assert x.value == 1.0 and type(x.value) is float
    assert x.partials == (2.0, 3.0)
    assert all(type(partial) is float for partial in x.partials)


def test_ints_and_numpy_scalars_become_floats():
    x = dt.Dual(1, 2, np.float32(0.5), np.int64(4))
    assert repr(x) == "Dual(1.0, 2.0, 0.5, 4.0)"
    assert type(x.value) is float


@pytest.mark.parametrize("arguments", [(), (1.0,), ("1.0", 1.0), (1.0, "2"), (1.0, None), ([1.0],)])
def test_wrong_arguments_raise(arguments):
    with pytest.raises(TypeError):
        dt.Dual(*arguments)


@pytest.mark.parametrize(
    "x", [dt.Dual(1.0, 2.0), dt.Dual(-0.0, math.inf, -1e-300), dt.Dual(1.5, 0.0), dt.Dual(0.1, *range(20))]
)
def test_repr_evaluates_to_the_same_value(x):
    again = eval(repr(x), {"Dual": dt.Dual, "inf": math.inf})
    assert repr(again) == repr(x)
    assert (again.value, again.partials) == (x.value, x.partials)


def test_repr():
    assert repr(dt.Dual(1.0, 2.0, 3.0)) == "Dual(1.0, 2.0, 3.0)"
    assert repr(dt.Dual(1e100, -0.5)) == "Dual(1e+100, -0.5)"
    assert repr(dt.Dual(math.nan, math.inf)) == "Dual(nan, inf)"
    assert str(dt.Dual(1.0, 2.0)) == "Dual(1.0, 2.0)"


@pytest.mark.parametrize("tangents", [1, 2, 3, 6, 8, 9, 12, 17, 64])
def test_every_number_of_tangents(tangents):
    partials = [0.5 * i - 1 for i in range(tangents)]
    x, y = dt.Dual(3.0, *partials), dt.Dual(2.0, *reversed(partials))
    for out, dx, dy in [
        (x * y, 2.0, 3.0),
        (x / y, 0.5, -0.75),
        (x - y, 1.0, -1.0),
        (x**2 + y, 6.0, 1.0),
        (dt.sin(x) * 1.0, math.cos(3.0), 0.0),
        (-x, -1.0, 0.0),
        (5.0 - x, -1.0, 0.0),
        (1.0 / y, 0.0, -0.25),
        (dt.hypot(x, y), 3 / math.sqrt(13), 2 / math.sqrt(13)),
        (dt.clip(x, 0.0, 10.0) + 0.0, 1.0, 0.0),
    ]:
        expected = [dx * a + dy * b for a, b in zip(partials, reversed(partials), strict=True)]
        assert len(out.partials) == tangents
        assert out.partials == pytest.approx(expected, rel=1e-14, abs=1e-15)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_and_copies(protocol):
    x = dt.Dual(1.0, 2.0, 3.0)
    for again in (pickle.loads(pickle.dumps(x, protocol)), copy.copy(x), copy.deepcopy(x)):
        assert repr(again) == repr(x)
        assert repr(again * x) == repr(x * x)


def test_immutable():
    x = dt.Dual(1.0, 2.0)
    for name in ("value", "partials", "other"):
        with pytest.raises(AttributeError):
            setattr(x, name, 3.0)
    y = x
    y += 1.0
    assert x.value == 1.0


def test_different_numbers_of_tangents_do_not_mix():
    with pytest.raises((TypeError, ValueError), match=r"partial|tangent") as info:
        dt.Dual(1.0, 2.0) * dt.Dual(1.0, 2.0, 3.0)
    assert isinstance(info.value, dt.DualtapeError)


def test_comparisons_look_at_the_value_alone():
    assert dt.Dual(1.0, 2.0) == dt.Dual(1.0, 3.0) == 1.0
    assert dt.Dual(1.0, 5.0) < dt.Dual(2.0, -5.0) <= 2
    assert sorted([dt.Dual(2.0, 0.0), dt.Dual(1.0, 1.0)])[0].partials == (1.0,)


def test_the_product_rule():
    x, y = dt.Dual(3.0, 1.0, 0.0), dt.Dual(4.0, 0.0, 1.0)
    assert repr(x * y) == "Dual(12.0, 4.0, 3.0)"
    assert repr(x * y + x / y) == "Dual(12.75, 4.25, 2.8125)"


def test_a_newton_iteration_on_duals_differentiates_the_root():
    a = dt.Dual(2.0, 1.0)
    x = 1.0
    for _ in range(8):
        x = x - (x * x - a) / (2 * x)
    assert x.value == pytest.approx(math.sqrt(2), rel=1e-15)
    assert x.partials == pytest.approx([0.5 / math.sqrt(2)], rel=1e-15)


def test_zero_tangents_stay_zero_where_a_partial_is_infinite():
    assert dt.sqrt(dt.Dual(0.0, 0.0, 1.0)).partials == (0.0, math.inf)
    assert dt.log(dt.Dual(0.0, 0.0, 1.0)).partials == (0.0, math.inf)


def test_a_dual_as_the_point_of_a_differentiation():
    out = dt.derivative(lambda x: x**3, dt.Dual(2.0, 1.0, 0.5))
    assert repr(out) == "Dual(12.0, 12.0, 6.0)"
    out = dt.gradient(lambda x: x**3, dt.Dual(2.0, 1.0, 0.5))
    assert repr(out) == "Dual(12.0, 12.0, 6.0)"


def test_a_dual_as_a_constant_of_a_differentiation():
    a = dt.Dual(2.0, 1.0)
    assert repr(dt.derivative(lambda x: a * x * x, 3.0)) == "Dual(12.0, 6.0)"
    assert repr(dt.gradient(lambda x: x * a * x, 3.0)) == "Dual(12.0, 6.0)"


def test_many_duals_are_created_and_freed():
    x = dt.Dual(1.0, 1.0)
    for _ in range(200_000):
        x = x * 1.000001 + 0.0
    assert x.partials == pytest.approx([1.000001**200_000], rel=1e-9)
