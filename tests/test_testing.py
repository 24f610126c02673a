"""check_derivatives passes what is right and finds what is wrong."""

import math

import numpy as np
import pytest

import dualtape as dt
from dualtape.testing import check_derivatives


def rosenbrock(v):
    return sum(100 * (v[i + 1] - v[i] ** 2) ** 2 + (1 - v[i]) ** 2 for i in range(len(v) - 1))


RIGHT = {
    "number": (lambda x: dt.sin(x) * x, (0.7,)),
    "several": (lambda x, y: x * dt.exp(y) / (1 + x * x), (0.7, -0.3)),
    "vector": (rosenbrock, ([0.3, 0.9, 1.2],)),
    "array": (lambda a: (a * a * a).sum(), (np.array([[0.3, 0.9], [1.2, -0.5]]),)),
    "dict": (lambda d: d["a"] ** 2 * dt.log(d["b"]), ({"a": 1.5, "b": 2.5},)),
    "vector-valued": (lambda v: [v[0] * v[1], dt.tanh(v[0])], ([0.3, 0.9],)),
    "constant": (lambda x: 3.0, (1.0,)),
    "branch": (lambda x: x**3 if x > 0 else -x, (0.5,)),
    "large": (lambda x: 1e8 * dt.cos(x), (0.5,)),
    "small": (lambda x: 1e-8 * dt.cos(x), (0.5,)),
    "nested": (lambda x: dt.derivative(lambda y: y**3 * x, x), (0.8,)),
}


@pytest.mark.parametrize(("f", "args"), RIGHT.values(), ids=RIGHT)
@pytest.mark.parametrize("order", [1, 2])
def test_right_derivatives_pass(f, args, order):
    check_derivatives(f, *args, order=order)
    dt.testing.check_derivatives(f, *args, order=order, modes=("forward",))
    dt.testing.check_derivatives(f, *args, order=order, modes=("reverse",))


WRONG = {
    "a dropped factor": (lambda x: dt.stop_gradient(x) * x * x, (1.5,)),
    "a dropped function": (lambda x: x + math.sin(dt.stop_gradient(x)), (1.5,)),
    "all of it": (lambda x: dt.stop_gradient(x) ** 2, (1.5,)),
    "one entry": (lambda v: v[0] * v[1] + dt.stop_gradient(v[2]) ** 2, ([1.0, 2.0, 3.0],)),
    "one of several": (lambda x, y: x * dt.stop_gradient(y) * y, (1.5, 2.5)),
    "one output": (lambda v: [v[0] * v[1], dt.stop_gradient(v[0]) * v[0]], ([1.5, 2.5],)),
    "a dict's entry": (lambda d: d["good"] ** 2 * dt.stop_gradient(d["bad"]), ({"good": 1.5, "bad": 2.5},)),
}


@pytest.mark.parametrize(("f", "args"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("modes", [("forward", "reverse"), ("forward",), ("reverse",)])
def test_wrong_derivatives_are_found(f, args, modes):
    with pytest.raises(AssertionError) as info:
        check_derivatives(f, *args, modes=modes)
    assert isinstance(info.value, dt.DualtapeError)
    with pytest.raises(AssertionError):
        check_derivatives(f, *args, order=1, modes=modes)


def test_the_worst_entry_is_named():
    with pytest.raises(AssertionError) as info:
        check_derivatives(lambda d: d["good"] ** 2 * dt.stop_gradient(d["bad"]), {"good": 1.5, "bad": 2.5})
    assert "bad" in str(info.value)
    with pytest.raises(AssertionError) as info:
        check_derivatives(lambda v: v[0] * v[1] + dt.stop_gradient(v[2]) ** 2, [1.0, 2.0, 3.0])
    assert "2" in str(info.value)


def test_a_wrong_second_derivative_alone_is_found():
    def f(x):
        # The value and the slope are those of x**2, but the slope is a constant: no curvature.
        plain = dt.stop_gradient(x)
        return plain**2 + 2 * plain * (x - plain)

    check_derivatives(f, 1.5, order=1)
    with pytest.raises(AssertionError):
        check_derivatives(f, 1.5, order=2)


def test_modes_are_compared_with_one_another():
    # Forward mode sees a Dual, reverse mode a Var: a function that treats them differently is found.
    def f(x):
        return x * x + (1e-3 * (x - 1.5) if isinstance(x, dt.Dual) else 0.0)

    with pytest.raises(AssertionError):
        check_derivatives(f, 1.5, order=1)


@pytest.mark.parametrize(
    ("f", "x"), [(dt.sqrt, 1e-3), (dt.log, 1e-3), (dt.asin, 0.999), (lambda x: 1 / (x - 1.01), 1.0), (dt.acosh, 1.002)]
)
def test_points_beside_the_edge_of_a_domain(f, x):
    # The steps of the differences leave the domain on one side: smaller ones do not.
    check_derivatives(f, x, order=1)


def test_wrong_derivatives_of_small_functions_are_found():
    with pytest.raises(AssertionError):
        check_derivatives(lambda x: 1e-9 * (x * x + dt.stop_gradient(x)), 3.0, order=1)


def test_unknown_modes_and_orders_are_refused():
    with pytest.raises((TypeError, ValueError)):
        check_derivatives(dt.sin, 1.0, modes=("sideways",))
    with pytest.raises((TypeError, ValueError)):
        check_derivatives(dt.sin, 1.0, order=0)


def test_exceptions_of_f_come_through():
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        check_derivatives(f, 1.0)


def test_a_kink_is_not_silently_accepted():
    # |x| at 0 has slope 0 by agreement, and so has its central difference.
    check_derivatives(abs, 0.0, order=1)
    with pytest.raises(AssertionError):
        check_derivatives(lambda x: dt.where(x > 0, 2 * x, x), 0.0, order=1)
