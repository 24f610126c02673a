"""Derivatives of derivatives, over closures, in every mix: perturbations are never confused."""

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import dualtape as dt
from modes import FIRST, SECOND

D, G = dt.derivative, dt.gradient
OPERATORS = {
    "derivative": D,
    "gradient": G,
    "jacobian forward": lambda f, x: dt.jacobian(f, x, mode="forward"),
    "jacobian reverse": lambda f, x: dt.jacobian(f, x, mode="reverse"),
    "pushforward": lambda f, x: dt.pushforward(f, x, 1.0)[1],
    "pullback": lambda f, x: dt.pullback(f, x)[1](1.0),
    "taylor": lambda f, x: dt.taylor(f, x, 1)[1],
    "list gradient": lambda f, x: G(lambda v: f(v[0]), [x])[0],
    "hvp": lambda f, x: dt.hvp(lambda y: _antiderivative(f, y, x), x, 1.0),
}


def _antiderivative(f, y, x):
    """A function of y whose second derivative at x is f'(x): (y - x) f(y) / 2."""
    return (y - x) * f(y) / 2


pairs = pytest.mark.parametrize(
    ("outer", "inner"),
    list(itertools.product(OPERATORS.values(), repeat=2)),
    ids=[f"{a} of {b}" for a, b in itertools.product(OPERATORS, repeat=2)],
)
triples = pytest.mark.parametrize(
    "operators", list(itertools.product((D, G), repeat=3)), ids=lambda t: "".join("GD"[f is D] for f in t)
)


@pairs
def test_the_confusion_test_with_a_sum(outer, inner):
    assert outer(lambda x: x * inner(lambda y: x + y, 1.0), 1.0) == 1.0


@pairs
def test_the_confusion_test_with_a_product(outer, inner):
    assert outer(lambda x: x * inner(lambda y: x * y, 1.0), 4.0) == 8.0


@pairs
def test_the_inner_point_depends_on_the_outer_variable(outer, inner):
    # d/dx [3 (2x)^2 x] = 36 x^2
    assert outer(lambda x: x * inner(lambda y: y**3, 2 * x), 2.0) == 144.0


@pairs
def test_an_inner_function_that_ignores_its_variable(outer, inner):
    assert outer(lambda x: x * inner(lambda y: x * x, 3.0), 2.0) == 0.0
    assert outer(lambda x: x + inner(lambda y: 1.0, x), 2.0) == 1.0


@pairs
def test_an_inner_function_that_ignores_the_outer_variable(outer, inner):
    assert outer(lambda x: inner(lambda y: y * y, 3.0), 2.0) == 0.0


@triples
def test_three_deep(operators):
    a, b, c = operators
    # f(x, y, z) = x y^2 z^3: d/dz at z = y, d/dy at y = x, d/dx.
    f = lambda x: b(lambda y: c(lambda z: x * y**2 * z**3, y), x)
    # c: 3 x y^4;  b: 12 x x^3 = 12 x^4;  a: 48 x^3
    assert a(f, 2.0) == pytest.approx(384.0, rel=1e-14)


@pytest.mark.parametrize("n", range(1, 9))
def test_the_nth_derivative_of_the_nth_power_at_zero(n):
    for operator in (D, G):
        f = lambda x: x**n
        for _ in range(n):
            f = operator(f)
        assert f(0.0) == math.factorial(n)


@pytest.mark.parametrize("n", range(2, 7))
def test_alternating_derivatives_of_the_nth_power_at_zero(n):
    for order in itertools.islice(itertools.product((D, G), repeat=n), 0, None, max(1, 2**n // 8)):
        f = lambda x: x**n + x ** (n + 1)
        for operator in order:
            f = operator(f)
        assert f(0.0) == math.factorial(n)


def test_products_instead_of_powers_at_zero():
    for operator in (D, G):
        f = lambda x: math.prod([x] * 5)
        for _ in range(5):
            f = operator(f)
        assert f(0.0) == 120.0


@pytest.mark.parametrize("second", SECOND.values(), ids=SECOND)
def test_second_derivative_of_every_kind(second):
    assert second(lambda x: dt.exp(x) * x, 1.0) == pytest.approx(3 * math.e, rel=1e-14)


def test_a_curried_closure_returned_from_a_derivative():
    curried = D(lambda x: lambda y: x * y)
    assert curried(2.0)(3.0) == 3.0
    assert D(curried(2.0))(3.0) == 1.0
    # d/dy [d/dx (x^2 y^3)] = 6 x y^2
    assert D(D(lambda x: lambda y: x**2 * y**3)(2.0))(5.0) == pytest.approx(12 * 25.0)
    assert D(D(D(lambda x: lambda y: lambda z: x * y * z**2)(2.0))(3.0))(4.0) == 8.0


def test_the_amazing_bug():
    # Manzyuk et al. 2019, "Perturbation confusion in forward automatic differentiation of higher-order functions".
    shift = lambda offset: lambda f: lambda x: f(x + offset)
    slope = D(shift)(0.0)
    assert slope(dt.exp)(1.0) == pytest.approx(math.e, rel=1e-15)
    assert slope(slope(dt.exp))(1.0) == pytest.approx(math.e, rel=1e-14)


def test_a_nonlocal_product_inside_a_derivative_run_twice():
    def make():
        scale = 1.0

        def f(x):
            nonlocal scale
            scale = x * dt.stop_gradient(scale)
            return scale * x

        return f

    for operator in (D, G):
        f = make()
        assert operator(f, 3.0) == 6.0
        assert operator(f, 3.0) == 18.0


def test_a_nonlocal_outer_variable_assigned_inside():
    def f(x):
        def inner(y):
            nonlocal x
            x = x * y
            return x

        first = D(inner, 1.0)
        # x is now x * y, the perturbation of y being dead: it reads as constant.
        return first

    for operator in (D, G):
        assert operator(f, 3.0) == 1.0


def test_a_callable_that_reenters_itself():
    class Power:
        """x**n as x times the derivative of the next lower one's antiderivative: f_n = x f_n' / n."""

        def __call__(self, x, n):
            if n == 0:
                return x**0 * 1.0
            return x * D(lambda y: self(y, n - 1) * y / n, x)

    power = Power()
    # f_n(x) = x d/dy [f_{n-1}(y) y / n] = x^n when f_{n-1} = x^(n-1)
    for operator in (D, G):
        for n in range(5):
            assert operator(lambda x: power(x, n), 1.5) == pytest.approx(n * 1.5 ** max(n - 1, 0), rel=1e-13)


def test_recursive_differentiation_of_the_function_itself():
    def f(x, depth):
        if depth == 0:
            return dt.sin(x)
        return G(lambda y: f(y, depth - 1), x)

    expected = [math.sin(0.3), math.cos(0.3), -math.sin(0.3), -math.cos(0.3)]
    for depth in range(7):
        assert f(0.3, depth) == pytest.approx(expected[depth % 4], rel=1e-14)
        assert D(lambda x: f(x, depth), 0.3) == pytest.approx(expected[(depth + 1) % 4], rel=1e-14)


def test_a_gradient_inside_a_jacobian_inside_a_gradient():
    # Lagrange's equations of a pendulum on a spring: the acceleration from L(q, v), then its derivative in a parameter.
    def lagrangian(q, v, k):
        return (v[0] ** 2 + (q[0] * v[1]) ** 2) / 2 + q[0] * dt.cos(q[1]) - k * (q[0] - 1) ** 2 / 2

    def acceleration(k):
        q, v = [1.2, 0.4], [0.1, -0.3]
        mass = dt.jacobian(lambda v: G(lambda v: lagrangian(q, v, k), v), v)
        momentum = dt.jacobian(lambda q: G(lambda v: lagrangian(q, v, k), v), q)
        force = G(lambda q: lagrangian(q, v, k), q)
        right = [force[i] - sum(momentum[i, j] * v[j] for j in range(2)) for i in range(2)]
        return right[0] / mass[0, 0] + right[1] / mass[1, 1]

    # r'' = r w^2 + cos(a) - k (r - 1); a'' = -sin(a)/r - 2 r' w / r
    expected = 1.2 * 0.09 + math.cos(0.4) - 2.0 * 0.2 - math.sin(0.4) / 1.2 + 2 * 0.1 * 0.3 / 1.2
    assert acceleration(2.0) == pytest.approx(expected, rel=1e-13)
    for operator in (D, G):
        assert operator(acceleration, 2.0) == pytest.approx(-0.2, rel=1e-13)


def test_hamiltons_equations_differentiated():
    def energy(q, p, m):
        return p * p / (2 * m) + dt.cosh(q)

    def step(m):
        q, p = 0.5, 0.1
        for _ in range(20):
            p = p - 0.05 * G(lambda q: energy(q, p, m), q)
            q = q + 0.05 * G(lambda p: energy(q, p, m), p)
        return q

    quotient = (step(2.0 + 1e-6) - step(2.0 - 1e-6)) / 2e-6
    assert G(step, 2.0) == pytest.approx(quotient, rel=1e-8)
    assert D(step, 2.0) == pytest.approx(G(step, 2.0), rel=1e-13)
    assert D(G(step))(2.0) == pytest.approx(G(D(step))(2.0), rel=1e-11)


def test_gradient_through_a_newton_solver_that_differentiates():
    def solve(f, x):
        for _ in range(30):
            x = x - f(x) / D(f, x)
        return x

    # x^3 = a
    for operator in (D, G):
        root = lambda a: solve(lambda x: x**3 - a, 1.5)
        assert operator(root, 2.0) == pytest.approx(2.0 ** (-2 / 3) / 3, rel=1e-13)
        assert operator(operator(root))(2.0) == pytest.approx(-2 / 9 * 2.0 ** (-5 / 3), rel=1e-12)


def test_hessian_inside_hessian():
    def f(v):
        return dt.hessian(lambda w: w[0] ** 4 * v[0] * v[1] ** 2 + w[1] * v[0], [v[0], 1.0])[0, 0]

    # 12 v0^3 v1^2
    expected = [[72 * 2.0 * 9.0, 72 * 4.0 * 3.0], [72 * 4.0 * 3.0, 24 * 8.0]]
    assert_allclose(dt.hessian(f, [2.0, 3.0]), expected, rtol=1e-13)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_arrays_of_derivatives_inside_derivatives(mode):
    def f(t):
        jacobian = dt.jacobian(lambda v: [v[0] * v[1] * t, t * v[0] ** 2], [t, 2.0], mode=mode)
        return jacobian[0, 0] * jacobian[1, 0]  # 2 t * 2 t^2

    for operator in (D, G):
        assert operator(f, 3.0) == 12 * 9.0
        assert operator(operator(f))(3.0) == 24 * 3.0


def test_gradients_of_structures_inside_derivatives():
    def f(t):
        slope = G(lambda p: p["a"] ** 2 * p["b"][0] * t, {"a": t, "b": [t * t, 1.0]})
        return slope["a"] + slope["b"][0]  # 2 t t^2 t + t^2 t

    for operator in (D, G):
        assert operator(f, 2.0) == 8 * 8.0 + 3 * 4.0


def test_levels_interleave_in_one_expression():
    def f(x):
        def g(y):
            def h(z):
                return x * y * z + x * x * z + y * y * z * z + x + y

            return D(h, y) * x + G(h, x) * y

        return G(g, x) + D(g, x)

    def plain(x):
        # h_z = x y + x^2 + 2 y^2 z; g(y) = x (x y + x^2 + 2 y^3) + y (x y + x^2 + 2 x y^2)
        y = x
        slope = x * (x + 6 * y * y) + (x * y + x * x + 2 * x * y * y) + y * (x + 4 * x * y)
        return 2 * slope

    assert f(1.3) == pytest.approx(plain(1.3), rel=1e-14)
    quotient = (plain(1.3 + 1e-5) - plain(1.3 - 1e-5)) / 2e-5
    for operator in (D, G):
        assert operator(f, 1.3) == pytest.approx(quotient, rel=1e-8)


def test_a_pullback_made_outside_and_called_inside():
    def f(x):
        _, back = dt.pullback(lambda y: y**3 * x, 2.0)
        return D(lambda w: back(w * x), 1.0)  # 12 x * x

    for operator in (D, G):
        assert operator(f, 3.0) == 72.0


def test_a_dual_made_by_hand_inside_a_differentiation():
    # Mixed mode by hand: the Dual wraps the outer variable, and meets it again in the function.
    def slope(f, x):
        return f(dt.Dual(x, 1.0)).partials[0]

    for operator in (D, G):
        assert operator(lambda x: slope(lambda y: y * y * x, x), 3.0) == 4 * 3.0
        assert operator(lambda x: x * slope(lambda y: x + y, 1.0), 1.0) == 1.0
        assert operator(lambda x: x * slope(lambda y: x * y, 1.0), 4.0) == 8.0
        assert operator(lambda x: slope(lambda y: x * y, x) * (dt.Dual(x, 1.0) * x).partials[0], 3.0) == 6.0


def test_duals_made_by_hand_in_one_place_share_their_level():
    f = lambda x: x * (dt.Dual(2.0, 1.0) * dt.Dual(3.0, 1.0)).partials[0]
    assert f(1.0) == 5.0
    for operator in (D, G):
        assert operator(f, 1.0) == 5.0


def test_a_dual_made_outside_is_constant_inside():
    a = dt.Dual(2.0, 1.0)
    for operator in (D, G):
        slope = operator(lambda x: x * x * a, 3.0)
        assert (slope.value, slope.partials) == (12.0, (6.0,))


def test_a_tape_made_by_hand_inside_a_differentiation():
    def slope(f, x):
        tape = dt.Tape()
        variable = tape.variable(x)
        return tape.gradient(f(variable), [variable])[0]

    for operator in (D, G):
        assert operator(lambda x: slope(lambda y: y * y * x, x), 3.0) == 4 * 3.0
        assert operator(lambda x: x * slope(lambda y: x + y, 1.0), 1.0) == 1.0
        assert operator(lambda x: x * slope(lambda y: x * y, 1.0), 4.0) == 8.0


def test_derivative_operators_as_arguments_of_one_another():
    twice = lambda operator: lambda f: operator(operator(f))
    assert twice(D)(lambda x: x**4)(2.0) == 48.0
    assert twice(twice(D))(lambda x: x**4)(2.0) == 24.0
    assert twice(twice(G))(lambda x: x**4)(2.0) == 24.0


def test_max_and_branches_over_levels():
    def f(x):
        inner = D(lambda y: y * y * x if y > x else y * x * x, 2 * x)
        return inner * max(inner, x)

    # y = 2x > x: inner = 4 x^2, f = 16 x^4
    for operator in (D, G):
        assert operator(f, 1.5) == pytest.approx(64 * 1.5**3, rel=1e-14)


def test_every_mode_of_a_function_that_differentiates_inside():
    def f(x):
        return G(lambda y: dt.sin(x * y), x) + D(lambda y: dt.exp(x * y), x)

    x = 0.7
    # x cos(x^2) + x exp(x^2)
    expected = math.cos(x * x) - 2 * x * x * math.sin(x * x) + (1 + 2 * x * x) * math.exp(x * x)
    for name, differentiate in FIRST.items():
        assert differentiate(f, x) == pytest.approx(expected, rel=1e-13), name


def test_many_levels_at_once():
    def nest(depth, x):
        if depth == 0:
            return x**2
        operator = (D, G)[depth % 2]
        return operator(lambda y: nest(depth - 1, y) * x, x)

    # nest(0) = x^2; nest(d)(x) = x * nest(d-1)'(x): each multiplies x^2 by 2.
    for depth in range(8):
        assert nest(depth, 1.5) == pytest.approx(2.0**depth * 1.5**2, rel=1e-13)


def test_numpy_results_of_inner_operators_carry_outer_derivatives():
    def f(t):
        hessian = dt.hessian(lambda v: v[0] ** 2 * v[1] * t, np.array([1.0, 2.0]))
        return hessian.sum() + np.trace(hessian)

    for operator in (D, G):
        assert operator(f, 3.0) == (4.0 + 2.0 + 2.0) + 4.0
