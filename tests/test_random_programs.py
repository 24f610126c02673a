"""Random programs over every row of the table, in every mode, against mpmath."""

import itertools
import math
import random

import mpmath
import numpy as np
import pytest
from mpmath import mp
from numpy.testing import assert_allclose

import dualtape as dt
from dualtape.rules.table import RULES
from modes import FIRST, SECOND

# Each row with the box that its arguments are squeezed into, and its value in mpmath.
ROWS = [
    rule
    for rule in RULES
    if hasattr(dt, rule.name) and None not in rule.partials and not rule.constant and rule.name not in ("where",)
]


def box(rule, i):
    """A box inside the row's domain on which its values stay moderate."""
    low, high = rule.domain[i]
    low, high = max(low, -2.0), min(high, 2.5)
    margin = 0.1 * (high - low)
    return low + margin, high - margin


def oracle(rule):
    """The row's value as a function of mpmath numbers."""
    return eval(f"lambda {', '.join(rule.args)}: {rule.oracle}", {"mp": mp, "mpmath": mpmath})


ORACLES = {rule.name: oracle(rule) for rule in ROWS}


class Program:
    """A straight line of random rows, or a loop of them: the same for every kind of number."""

    def __init__(self, seed, inputs=3, length=12, loops=1):
        self.random = random.Random(seed)
        self.inputs, self.loops = inputs, loops
        self.lines = [self.line(i) for i in range(inputs, inputs + length)]

    def line(self, size):
        rule = self.random.choice(ROWS)
        operands = [self.random.randrange(size) if self.random.random() < 0.7 else size - 1 for _ in rule.args]
        return rule, operands, [self.random.uniform(0.3, 1.2) for _ in rule.args]

    def __call__(self, m, xs):
        """The sum of all lines, each squeezed into its row's box by a sine."""
        values = list(xs)
        total = 0.0 * xs[0]
        for turn in range(self.loops):
            for rule, operands, rates in self.lines:
                arguments = []
                for i, (place, rate) in enumerate(zip(operands, rates, strict=True)):
                    low, high = map(m.mpf if m is mp else float, box(rule, i))
                    wave = m.sin(rate * values[place] + turn)
                    arguments.append((low + high) / 2 + (high - low) / 2 * wave)
                values.append((ORACLES[rule.name] if m is mp else getattr(m, rule.name))(*arguments))
                total = total + values[-1] * rates[0]
            values = values[-self.inputs :] + values[self.inputs : -self.inputs]
        return total


def expected(program, xs, direction):
    """Value, first and second derivative along a direction, in 40 digits."""
    with mpmath.workdps(40):
        point, along = [mp.mpf(x) for x in xs], [mp.mpf(d) for d in direction]
        line = lambda t: program(mp, [x + t * d for x, d in zip(point, along, strict=True)])
        h = mp.mpf(10) ** -9
        below, middle, above = line(-h), line(mp.mpf(0)), line(h)
        return float(middle), float((above - below) / (2 * h)), float((above - 2 * middle + below) / h**2)


def gentle(seed, xs, direction, **shape):
    """The first of a sequence of random programs that does not magnify rounding errors beyond the tolerances."""
    for attempt in itertools.count():
        program = Program(seed + 10_000 * attempt, inputs=len(xs), **shape)
        reference = expected(program, xs, direction)
        if max(map(abs, reference)) < 1e3 and abs(dt.hessian(lambda v: program(dt, v), xs)).max() < 1e4:
            return program, reference


def check(program, reference, xs, direction):
    value, slope, curvature = reference
    f = lambda v: program(dt, v)
    scale = 1 + abs(slope)
    found, gradient = dt.value_and_gradient(f, xs)
    assert found == pytest.approx(value, rel=1e-12)
    dot = sum(g * d for g, d in zip(gradient, direction, strict=True))
    assert dot == pytest.approx(slope, rel=1e-11, abs=1e-11 * scale)
    assert dt.pushforward(f, xs, direction)[1] == pytest.approx(slope, rel=1e-11, abs=1e-11 * scale)
    for mode in ("forward", "reverse"):
        assert_allclose(dt.jacobian(f, xs, mode=mode), gradient, rtol=1e-11, atol=1e-12 * scale)
    hessian = dt.hessian(f, xs)
    scale = 1 + abs(hessian).max()
    assert direction @ hessian @ direction == pytest.approx(curvature, rel=1e-9, abs=1e-10 * scale)
    assert_allclose(hessian, hessian.T, rtol=1e-11, atol=1e-12 * scale)
    assert_allclose(dt.hvp(f, xs, list(direction)), hessian @ direction, rtol=1e-10, atol=1e-11 * scale)
    for mode in ("forward", "reverse"):
        nested = dt.jacobian(dt.gradient(f), xs, mode=mode)
        assert_allclose(nested, hessian, rtol=1e-10, atol=1e-11 * scale)


@pytest.mark.parametrize("seed", range(60))
def test_straight_lines(seed):
    rng = random.Random(seed)
    n = rng.choice([1, 2, 3, 5])
    xs, direction = [rng.uniform(-1.5, 1.5) for _ in range(n)], _direction(rng, n)
    check(*gentle(seed, xs, direction, length=rng.randrange(3, 20)), xs, direction)


@pytest.mark.parametrize("seed", range(12))
def test_loops(seed):
    rng = random.Random(1000 + seed)
    xs, direction = [rng.uniform(-1.5, 1.5) for _ in range(2)], _direction(rng, 2)
    check(*gentle(seed + 1000, xs, direction, length=6, loops=4), xs, direction)


def _direction(rng, n):
    return np.array([rng.uniform(-1, 1) for _ in range(n)])


@pytest.mark.parametrize("seed", range(25))
def test_every_mode_of_one_variable(seed):
    x = random.Random(seed).uniform(-1.2, 1.2)
    program, (_, slope, curvature) = gentle(seed + 2000, [x], [1.0], length=8)
    f = lambda t: program(dt, [t])
    for name, differentiate in FIRST.items():
        assert differentiate(f, x) == pytest.approx(slope, rel=1e-10, abs=1e-10), name
    for name, second in SECOND.items():
        assert second(f, x) == pytest.approx(curvature, rel=1e-8, abs=1e-8), name


@pytest.mark.parametrize("rule", ROWS, ids=lambda rule: rule.name)
def test_every_row_in_one_program(rule):
    # So that no row is left out by chance.
    program = Program(0, inputs=2, length=0)
    program.lines = [(rule, [i % 2 for i in range(len(rule.args))], [0.7, 0.9, 1.1][: len(rule.args)])]
    xs, direction = [0.4, -0.7], _direction(random.Random(5), 2)
    check(program, expected(program, xs, direction), xs, direction)


@pytest.mark.parametrize("seed", range(30))
def test_random_nestings(seed):
    """Derivatives inside derivatives in random order, against nested difference quotients in 60 digits."""
    rng = random.Random(seed)

    def build(depth, names):
        """A term over the variables in scope: the same code for dualtape and for mpmath."""
        kind = rng.choice(["leaf", "product", "sum", "sin", "nest", "nest"]) if depth else "leaf"
        if kind == "leaf":
            a, b, c = rng.choice(names), rng.choice(names), rng.uniform(0.2, 0.8)
            return lambda m, D, env: env[a] * env[b] * c + env[a]
        if kind == "sin":
            inner = build(depth - 1, names)
            return lambda m, D, env: m.sin(inner(m, D, env) * 0.5)
        if kind in ("product", "sum"):
            left, right = build(depth - 1, names), build(depth - 1, names)
            if kind == "sum":
                return lambda m, D, env: left(m, D, env) - right(m, D, env)
            return lambda m, D, env: left(m, D, env) * right(m, D, env) * 0.5
        new = f"v{len(names)}"
        body, point = build(depth - 1, [*names, new, new]), build(depth - 1, names)
        mode = rng.randrange(3)
        return lambda m, D, env: D(lambda y: body(m, D, {**env, new: y}), point(m, D, env), mode)

    def of_dualtape(f, x, mode):
        return (dt.derivative, dt.gradient, lambda f, x: dt.pullback(f, x)[1](1.0))[mode](f, x)

    step = mp.mpf(10) ** -12

    def of_mpmath(f, x, mode):
        # Nested central quotients: each level takes 2.4e-24 of relative accuracy.
        return (f(x + step) - f(x - step)) / (2 * step)

    term = build(3, ["x"])
    program = lambda x: term(dt, of_dualtape, {"x": x})
    with mpmath.workdps(100):
        plain = lambda x: term(mp, of_mpmath, {"x": x})
        value = plain(mp.mpf(0.7))
        slope = (plain(mp.mpf(0.7) + step) - plain(mp.mpf(0.7) - step)) / (2 * step)
    assert program(0.7) == pytest.approx(float(value), rel=1e-11, abs=1e-12)
    for name, differentiate in FIRST.items():
        assert differentiate(program, 0.7) == pytest.approx(float(slope), rel=1e-10, abs=1e-11), name
    assert math.isfinite(dt.hessian(program, 0.7))
