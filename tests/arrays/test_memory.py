"""Tapes of arrays are freed, whatever happens, and a loop of assignments takes memory in proportion to its length."""

import gc
import operator
import sys
import tracemalloc

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import check, primal, weights
from dualtape.core.tape import live

X = weights((3, 4), 1)


def program(x):
    """Views, assignments, products and reductions."""
    y = np.sin(x) * 2.0
    y[1:] += y[:-1]
    y.T[0] = x[:, 1] * x[0, 0]
    z = dt.zeros(3)
    for i in range(3):
        z[i] = y[i, 0] * y[i, 1]
    y[y > 0.5] *= 0.3
    np.add.at(z, [0, 0, 1], y[:, 2])
    z.sort()
    w = np.linalg.solve(y @ y.T + 3 * np.eye(3), z)
    return np.sum(np.einsum("i,ij->j", w, y)) + np.max(w) + np.linalg.norm(np.concatenate([w, z]))


OPERATORS = {
    "gradient": lambda f: dt.gradient(f, X),
    "value_and_gradient": lambda f: dt.value_and_gradient(f, X),
    "pushforward": lambda f: dt.pushforward(f, X, X),
    "pullback": lambda f: dt.pullback(f, X)[1](1.0),
    "pullback without a sweep": lambda f: dt.pullback(f, X)[0],
    "jacobian": lambda f: dt.jacobian(f, X, mode="forward"),
    "hessian": lambda f: dt.hessian(f, X),
    "hvp": lambda f: dt.hvp(f, X, X),
    "forward over reverse": lambda f: dt.pushforward(dt.gradient(f), X, X),
    "reverse over reverse": lambda f: dt.gradient(lambda y: np.sum(dt.gradient(f, y)), X),
    "reverse over forward": lambda f: dt.gradient(lambda y: dt.pushforward(f, y, X)[1], X),
}
operators = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)


def growth(call, warm=200, rounds=3, times=50):
    """Blocks of memory that Python holds more for each call: a leak shows in every round, a cache only in some."""
    for _ in range(warm):
        call()
    slopes = []
    for _ in range(rounds):
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(times):
            call()
        gc.collect()
        slopes.append((sys.getallocatedblocks() - before) / times)
    return min(slopes)


@operators
def test_nothing_stays_alive(operator):
    operator(program)
    assert live() == (0, 0)


@operators
def test_no_memory_grows_over_many_calls(operator):
    assert growth(lambda: operator(program)) < 1.0
    assert live() == (0, 0)


FAILURES = {
    "own exception": lambda x: 1 / 0,
    "no rule": lambda x: np.nextafter(x[0], 1.0),
    "conversion": lambda x: np.zeros(3).__setitem__(0, x[0, 0]),
    "bad index": lambda x: x[99],
    "bad shape": lambda x: x + np.ones(99),
    "singular": lambda x: np.linalg.solve(np.zeros((3, 3)) * x[0, 0], x[:, 0]),
    "bad assignment": lambda x: x.__setitem__(0, np.ones(99)),
}


@operators
@pytest.mark.parametrize("failure", FAILURES)
def test_exceptions_leave_nothing_behind(operator, failure):
    def f(x):
        program(x)
        x[1] *= 2.0
        FAILURES[failure](x)
        return np.sum(x)

    def call():
        try:
            operator(f)
        except Exception as error:
            error.__traceback__ = None
        else:
            pytest.fail("it did not raise")

    call()
    gc.collect()
    assert live() == (0, 0)
    assert growth(call, warm=60, rounds=3, times=20) < 2.0
    assert np.all(np.isfinite(dt.gradient(program, X)))


def test_large_temporaries_are_freed_with_the_tape():
    x = np.ones(100_000)

    def f(x):
        for _ in range(10):
            x = np.sin(x) * x
            x[1:] += x[:-1]
        return np.sum(x)

    for run in (dt.gradient, lambda f, x: dt.pushforward(f, x, x), lambda f, x: dt.hvp(f, x, x)):
        run(f, x)
        tracemalloc.start()
        try:
            run(f, x)
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(5):
                run(f, x)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 100_000
        assert live() == (0, 0)


def recorded(n, program):
    """Bytes on the tape of a program of size n."""
    sizes = []

    def f(x):
        out = program(x, n)
        sizes.append(np.sum(out).tape.nbytes)
        return np.sum(out)

    slope = dt.gradient(f, np.linspace(0.1, 1.0, n))
    assert np.all(np.isfinite(slope))
    return sizes[0]


def elements(x, n):
    out = dt.zeros(n)
    for i in range(n):
        out[i] = x[i] * x[i - 1]
    return out


def in_place(x, n):
    for i in range(1, n):
        x[i] += 0.5 * x[i - 1]
    return x


def pairs(x, n):
    for i in range(1, n):
        x[i - 1 : i + 1] *= 0.9
    return x


def masks(x, n):
    for i in range(n):
        x[[i]] = x[[i]] * 0.5
    return x


@pytest.mark.parametrize("program", [elements, in_place, pairs, masks], ids=lambda f: f.__name__)
def test_assignments_take_memory_in_proportion_to_their_number(program):
    small, large = recorded(400, program), recorded(3200, program)
    assert large < 8.5 * small + 100_000
    assert large < 3200 * 2000


def test_views_take_next_to_no_memory():
    sizes = []

    def f(x):
        before = np.sum(x).tape.nbytes
        y = x
        for _ in range(100):
            y = y.reshape(100, 100).T[::-1].reshape(100, 100)[:, ::-1].T.T.T
        sizes.append(np.sum(y).tape.nbytes - before)
        return np.sum(y)

    dt.gradient(f, np.ones((100, 100)))
    assert sizes[0] < 200_000


def test_a_long_loop_of_small_arrays():
    def f(x):
        state = x * 1.0
        for _ in range(20_000):
            state += 1e-4 * state[::-1]
        return np.sum(state)

    slope = dt.gradient(f, np.array([1.0, 2.0]))
    np.testing.assert_allclose(slope, (1 + 1e-4) ** 20_000, rtol=1e-9)
    assert live() == (0, 0)


def test_a_pullback_keeps_its_tape_and_lets_it_go():
    value, back = dt.pullback(lambda x: x * x, X)
    assert live()[0] <= 1
    for _ in range(3):
        np.testing.assert_allclose(back(np.ones_like(X)), 2 * X)
    del back
    gc.collect()
    assert live() == (0, 0)
    assert type(primal(value)) is np.ndarray


# --- nothing is shared with arrays of the caller or of f ------------------------------------------------------------

K = np.array([[1.2, 0.3, 0.4], [0.2, 1.5, 0.1], [0.35, 0.15, 1.8]])
CONSTANTS = {
    "multiply": lambda x, k: x * k,
    "divide": lambda x, k: k / (x + 3.0) + x / k,
    "power": lambda x, k: (x + 2.0) ** k + k**x,
    "matmul": lambda x, k: (x @ k) * (k @ x),
    "dot": lambda x, k: np.dot(x, k) * x.dot(k[0]),
    "einsum": lambda x, k: np.einsum("ij,jk->ik", x, k),
    "outer": lambda x, k: np.outer(x[0], k[0]),
    "solve": lambda x, k: np.linalg.solve(k, x) + np.linalg.solve(x + 4 * np.eye(3), k),
    "maximum": lambda x, k: np.maximum(x, k) * x,
    "clip": lambda x, k: np.clip(x, -k, k) * x,
    "where": lambda x, k: np.where(k > 0.5, x, k) * x,
    "sum where": lambda x, k: np.sum(x * x, axis=0, where=k > 0.3),
    "in place": lambda x, k: operator.imul(x * 1.0, k) * x,
    "assignment": lambda x, k: operator.setitem(x, (k > 0.35), k[k > 0.35]) or x * x,
    "a scalar": lambda x, k: k * x[0, 0] + k ** x[1, 1],
    "at": lambda x, k: np.multiply.at(x, [0, 1], k[:2]) or x * x,
}


@pytest.mark.parametrize(
    "layout", [lambda k: k, np.transpose, lambda k: k[::-1]], ids=["whole", "transposed", "reversed"]
)
@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_may_change_after_their_use(name, layout):
    def f(x):
        base = K.copy()
        y = CONSTANTS[name](x, layout(base))
        base[...] = 7.7
        return y

    check(f, 0.8 * weights((3, 3), 2))


def test_results_may_be_changed():
    for f, slope in ((lambda x: x * x, 2 * X), (np.exp, np.exp(X)), (lambda x: x[...], np.ones_like(X))):
        x = X.copy()
        value, back = dt.pullback(f, x)
        value[...] = 0.0
        x[...] = 0.0
        first = back(np.ones_like(X))
        np.testing.assert_allclose(first, slope, rtol=1e-15)
        first[...] = 3.0
        np.testing.assert_allclose(back(np.ones_like(X)), slope, rtol=1e-15)


def test_stop_gradient_gives_numbers_of_its_own():
    def f(x):
        y = x * 1.0
        kept = dt.stop_gradient(y)
        y *= 2.0
        other = dt.stop_gradient(x)
        other *= 0.0
        return np.sum(kept * x)

    np.testing.assert_allclose(dt.gradient(f, X), X, rtol=1e-15)


def test_large_primals_are_returned_as_the_sweep_passes_them():
    """Of a long chain the adjoints find the memory of primals that are done with; a pullback may sweep again."""
    x = np.linspace(0.5, 1.5, 5000)

    def chain(x):
        y = x
        for k in range(40):
            y = np.sin(y * x) if k % 3 else np.sort(y + x)
        return np.sum(y)

    expected = dt.gradient(chain, x)
    _, back = dt.pullback(chain, x)
    for _ in range(3):
        np.testing.assert_array_equal(back(1.0), expected)
    np.testing.assert_array_equal(dt.jacobian(chain, x, mode="reverse"), expected)
    assert live()[0] == 1
    del back
    assert live() == (0, 0)
