"""Python's control flow and mutation inside differentiated programs, to second order."""

import heapq
import itertools
import math
import sys

import numpy as np
import pytest

import dualtape as dt
from modes import FIRST, SECOND


def every_mode(f, x, slope, curvature, rel=1e-12):
    """Assert the first and second derivatives of f at x in every mode."""
    for name, differentiate in FIRST.items():
        assert differentiate(f, x) == pytest.approx(slope, rel=rel, abs=1e-300), name
    for name, differentiate in SECOND.items():
        assert differentiate(f, x) == pytest.approx(curvature, rel=rel * 10, abs=1e-300), name


@pytest.mark.parametrize(("x", "slope", "curvature"), [(2.0, 12.0, 12.0), (-2.0, -4.0, 2.0), (0.5, 1.0, 0.0)])
def test_data_dependent_branches(x, slope, curvature):
    def f(x):
        if x > 1:
            return x**3
        elif x < 0:
            return x * x
        return x

    every_mode(f, x, slope, curvature)


def test_a_while_loop_to_convergence():
    def root(a):
        x = a
        while abs(x * x - a) > 1e-14 * a:
            x = (x + a / x) / 2
        return x

    every_mode(root, 7.0, 0.5 / math.sqrt(7), -0.25 * 7**-1.5, rel=1e-7)


def test_a_bisection_ends_in_a_newton_step():
    # Bisection alone decides, and has no derivative; the last step carries it.
    def f(a):
        low, high = 0.0, 4.0
        while high - low > 1e-15:
            middle = (low + high) / 2
            if middle in (low, high):
                break
            low, high = (middle, high) if middle**3 < a else (low, middle)
        return low - (low**3 - a) / (3 * low**2)

    for differentiate in FIRST.values():
        assert differentiate(f, 5.0) == pytest.approx(5.0 ** (-2 / 3) / 3, rel=1e-12)


def test_a_loop_whose_length_depends_on_the_variable():
    def f(x):
        total = 0.0
        for i in range(int(x)):
            total = total + x**i
        return total

    # 1 + x + x^2 + x^3 at 4.5
    every_mode(f, 4.5, 1 + 2 * 4.5 + 3 * 4.5**2, 2 + 6 * 4.5)


def test_break_continue_and_else():
    def f(x):
        total = x
        for i in itertools.count(1):
            if i % 2:
                continue
            total = total * x
            if total > 50:
                break
        else:
            total = total * 1000
        return total

    every_mode(f, 3.0, 4 * 27.0, 12 * 9.0)


def test_an_early_exit_on_zero():
    def product(values):
        out = 1.0
        for value in values:
            if value == 0:
                return 0.0 * out
            out = out * value
        return out

    assert dt.gradient(product, [2.0, 3.0]) == [3.0, 2.0]
    assert dt.gradient(product, [2.0, 0.0, 3.0]) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("differentiate", FIRST.values(), ids=FIRST)
def test_recursion_to_pythons_limit(differentiate):
    def depth(n, x):
        return x if n == 0 else depth(n - 1, x) * 1.0001 + x

    n = sys.getrecursionlimit() - 250
    expected, slope = 1.0, 1.0
    for _ in range(n):
        expected, slope = expected * 1.0001 + 1.0, slope * 1.0001 + 1.0
    assert differentiate(lambda x: depth(n, x), 1.0) == pytest.approx(slope, rel=1e-12)


@pytest.mark.parametrize("differentiate", FIRST.values(), ids=FIRST)
def test_recursion_beyond_pythons_limit_raises_and_leaves_all_well(differentiate):
    def endless(x):
        return endless(x * 1.0001) + x

    with pytest.raises(RecursionError):
        differentiate(endless, 1.0)
    assert differentiate(lambda x: x * x, 3.0) == 6.0


def test_second_derivative_of_a_recursion():
    def power(x, n):
        if n == 0:
            return x * 0.0 + 1.0
        half = power(x, n // 2)
        return half * half * x if n % 2 else half * half

    every_mode(lambda x: power(x, 13), 1.1, 13 * 1.1**12, 156 * 1.1**11)


def test_try_except_finally():
    def f(x):
        seen = []
        try:
            seen.append(x * x)
            return [1.0][3] * x
        except IndexError:
            seen.append(x**3)
        finally:
            seen.append(2 * x)
        try:
            1 / (x - x)
        except ZeroDivisionError:
            seen.append(x)
        return sum(seen)

    # x^2 + x^3 + 3 x
    every_mode(f, 2.0, 4.0 + 12.0 + 3.0, 2.0 + 12.0)


def test_list_mutation():
    def f(x):
        values = [x, 2.0, x * x]
        values[1] = values[0] * values[2]
        values.append(values.pop(0) * 3)
        values += [x]
        values.insert(0, x**4)
        values.reverse()
        values[1:3] = [values[2] * values[1]]
        del values[0]
        return sum(values)

    # [x^3, x^2, 3x, x], x^4 in front, reversed: [x, 3x, x^2, x^3, x^4] -> 3 x^3 + x^3 + x^4
    every_mode(f, 1.5, 12 * 1.5**2 + 4 * 1.5**3, 24 * 1.5 + 12 * 1.5**2)


def test_dict_and_attribute_mutation():
    class State:
        position = 0.0

    def f(x):
        table = {"a": x}
        state = State()
        for key in "bcd":
            table[key] = table["a"] * len(table)
            table["a"] *= x
            state.position = state.position + table[key]
        table.update(a=table.pop("b") * x)
        return state.position + table["a"] + table.setdefault("z", x)

    # b = x, c = 2 x^2, d = 3 x^3; a = x^2
    every_mode(f, 1.5, 1 + 4 * 1.5 + 9 * 1.5**2 + 2 * 1.5 + 1, 4 + 18 * 1.5 + 2)


def test_object_array_mutation():
    def f(x):
        a = np.zeros(5, dtype=object)
        for i in range(5):
            a[i] = x * i
        a[1:] += a[:-1]
        a[a > 5] = 1.0
        return a.sum()

    # [0, x, 3x, 5x, 7x] at 1.2: 5x = 6 > 5 and 7x > 5
    every_mode(f, 1.2, 4.0, 0.0)


def test_sorting_searching_and_heaps():
    def f(x):
        values = [x * x, -x, 3.0, x, 0.5 * x]
        ordered = sorted(values)
        heap = list(values)
        heapq.heapify(heap)
        least = heapq.heappop(heap)
        largest = max(values, key=lambda v: v)
        return ordered[1] * least + largest * min(values, key=abs)

    # At 2.0: [4, -2, 3, 2, 1]: ordered[1] = x/2, least = -x; largest = x^2, nearest zero x/2
    every_mode(f, 2.0, -2.0 + 1.5 * 4, -1.0 + 3 * 2)


def test_generators_and_itertools():
    def f(x):
        powers = itertools.accumulate(itertools.repeat(x, 4), lambda a, b: a * b)
        first, *rest = powers
        pairs = list(itertools.pairwise([first, *rest]))
        return sum(a * b for a, b in pairs)

    # x x^2 + x^2 x^3 + x^3 x^4
    every_mode(f, 1.2, 3 * 1.2**2 + 5 * 1.2**4 + 7 * 1.2**6, 6 * 1.2 + 20 * 1.2**3 + 42 * 1.2**5)


def test_comprehensions_walrus_and_match():
    def f(x):
        values = [y * y for i in range(4) if (y := x + i) > 2]
        table = dict(enumerate(values))
        match table:
            case {0: a, 1: b}:
                return a * b
            case _:
                return x

    # (x + 1), (x + 2), (x + 3) at 1.5
    p, q = 2.5, 3.5
    every_mode(f, 1.5, 2 * p * q * q + 2 * p * p * q, 2 * q * q + 8 * p * q + 2 * p * p)


def test_closures_that_accumulate():
    def f(x):
        total = 0.0

        def add(y):
            nonlocal total
            total = total + y * x
            return add

        add(x)(x * x)(1.0)
        return total

    every_mode(f, 1.5, 2 * 1.5 + 3 * 1.5**2 + 1, 2 + 6 * 1.5)


def test_an_adaptive_integrator():
    def simpson(f, a, b, tolerance):
        middle = (a + b) / 2
        fa, fm, fb = f(a), f(middle), f(b)

        def rule(a, fa, m, fm, b, fb, whole, tolerance):
            left, right = (a + m) / 2, (m + b) / 2
            fl, fr = f(left), f(right)
            low = (m - a) / 6 * (fa + 4 * fl + fm)
            high = (b - m) / 6 * (fm + 4 * fr + fb)
            error = low + high - whole
            if abs(error) < 15 * tolerance:
                return low + high + error / 15
            half = tolerance / 2
            return rule(a, fa, left, fl, m, fm, low, half) + rule(m, fm, right, fr, b, fb, high, half)

        return rule(a, fa, middle, fm, b, fb, (b - a) / 6 * (fa + 4 * fm + fb), tolerance)

    # d/db of the integral of sin from 0 to b, and d/dk of the integral of sin(k t).
    every_mode(lambda b: simpson(dt.sin, 0.0, b, 1e-10), 2.0, math.sin(2.0), math.cos(2.0), rel=1e-7)
    f = lambda k: simpson(lambda t: dt.sin(k * t), 0.0, 1.0, 1e-10)
    k = 1.7
    slope = math.sin(k) / k - (1 - math.cos(k)) / k**2
    assert dt.gradient(f, k) == pytest.approx(slope, rel=1e-8)
    assert dt.derivative(f, k) == pytest.approx(slope, rel=1e-8)


def test_the_logistic_map_over_a_branch():
    def f(r):
        x = 0.3
        for _ in range(30):
            x = r * x * (1 - x) if x < 0.7 else r * x * (1 - x) * 0.9
        return x

    step = 1e-7
    quotient = (f(3.2 + step) - f(3.2 - step)) / (2 * step)
    for differentiate in FIRST.values():
        assert differentiate(f, 3.2) == pytest.approx(quotient, rel=1e-5)


def test_chained_assignment_and_in_place_operators_do_not_alias():
    def f(x):
        a = b = x * x
        a += x
        b *= 2
        c = [a] * 3
        c[0] -= b
        return c[0] * c[1]

    # (x - x^2)(x^2 + x) = x^2 - x^4
    every_mode(f, 1.5, 2 * 1.5 - 4 * 1.5**3, 2 - 12 * 1.5**2)


def test_ternary_short_circuits_and_assertions():
    def f(x):
        assert x, "not zero"
        y = x and x * x
        z = (x - x) or y
        return z * (2 if not x < 0 else 3)

    every_mode(f, 1.5, 6.0, 4.0)
