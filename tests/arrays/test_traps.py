"""Where a derivative could get lost there is an error that says where and what to do, or the right derivative."""

import contextlib
import inspect
import math
import os
import pickle

import numpy as np
import pytest
import scipy.special

import dualtape as dt
from arrays.random_programs import close, difference_gradient, primal, weights

MODES = {
    "reverse": lambda f, x: dt.gradient(f, x),
    "forward": lambda f, x: dt.pushforward(f, x, np.ones_like(x))[1],
    "forward over reverse": lambda f, x: dt.hvp(f, x, np.ones_like(x)),
    "reverse over reverse": lambda f, x: dt.gradient(lambda y: np.sum(dt.gradient(f, y)), x),
    "reverse over forward": lambda f, x: dt.gradient(lambda y: dt.pushforward(f, y, np.ones(3))[1], x),
}
modes = pytest.mark.parametrize("mode", MODES)
X = np.array([1.0, 2.0, 3.0])


def store(change):
    """A program that changes a plain array by a traced one, and uses it."""

    def f(x):
        plain = np.zeros(3)
        change(plain, x)
        return np.sum(plain * plain)

    return f


class Holder:
    """An object with a number in it."""

    def __init__(self, number):
        self.number = float(number)


# Each of these raises an error of dualtape.
TRAPS = {
    "float": lambda x: float(np.sum(x)),
    "float of an element": lambda x: float(x[0]),
    "float of an array of one": lambda x: float(x[:1]),
    "complex": lambda x: complex(x[0]).real,
    "math.sin": lambda x: math.sin(x[0]),
    "math.fsum": lambda x: math.fsum(x),
    "np.asarray": lambda x: np.sum(np.asarray(x)),
    "np.asarray with a dtype": lambda x: np.sum(np.asarray(x, dtype=float)),
    "np.array of a list": lambda x: np.sum(np.array([x[0], x[1]], dtype=float)),
    "np.array of rows": lambda x: np.sum(np.array([x, x], dtype=float)),
    "np.float64": lambda x: np.float64(x[0]),
    "np.fromiter": lambda x: np.sum(np.fromiter(x, dtype=float)),
    "np.frombuffer": lambda x: np.sum(np.frombuffer(x)),
    "memoryview": lambda x: memoryview(x)[0],
    "setitem": store(lambda plain, x: plain.__setitem__(0, x[0])),
    "setitem of an array": store(lambda plain, x: plain.__setitem__(slice(None), x)),
    "setitem by integers": store(lambda plain, x: plain.__setitem__([0, 1], x[:2])),
    "setitem by a mask": store(lambda plain, x: plain.__setitem__(x > 1.5, x[x > 1.5])),
    "setitem in flat": store(lambda plain, x: plain.flat.__setitem__(0, x[0])),
    "setitem of a view": store(lambda plain, x: plain.reshape(3, 1).T.__setitem__((0, 1), x[1])),
    "out": store(lambda plain, x: np.add(x, 1.0, out=plain)),
    "out of a unary": store(lambda plain, x: np.sin(x, out=plain)),
    "out as a tuple": store(lambda plain, x: np.multiply(x, x, out=(plain,))),
    "out of plain operands with a traced scalar": store(lambda plain, x: np.multiply(X, x[0], out=plain)),
    "out of sum": store(lambda plain, x: np.sum(x[None] * x[:, None], axis=0, out=plain)),
    "out of a method": store(lambda plain, x: x.cumsum(out=plain)),
    "out of matmul": store(lambda plain, x: np.matmul(np.eye(3), x, out=plain)),
    "out of reduce": store(lambda plain, x: np.add.reduce(x[None], axis=0, out=plain)),
    "out of concatenate": store(lambda plain, x: np.concatenate([x[:1], x[1:]], out=plain)),
    "out of clip": store(lambda plain, x: np.clip(x, 0.0, 2.0, out=plain)),
    "copyto": store(lambda plain, x: np.copyto(plain, x)),
    "copyto where": store(lambda plain, x: np.copyto(plain, x, where=[True, False, True])),
    "putmask": store(lambda plain, x: np.putmask(plain, [True, False, True], x)),
    "place": store(lambda plain, x: np.place(plain, [True, False, True], x)),
    "put": store(lambda plain, x: np.put(plain, [0, 1], x[:2])),
    "put method": store(lambda plain, x: plain.put([0, 1], x[:2])),
    "fill": store(lambda plain, x: plain.fill(x[0])),
    "put_along_axis": store(lambda plain, x: np.put_along_axis(plain, np.array([0, 1]), x[:2], axis=0)),
    "fill_diagonal": lambda x: np.sum(_filled(x)),
    "add.at": store(lambda plain, x: np.add.at(plain, [0, 1, 1], x)),
    "clip with out by position": store(lambda plain, x: np.clip(X, x[0], 5.0, plain)),
    "a class with a float": lambda x: Holder(x[0]).number,
}


def _filled(x):
    plain = np.zeros((3, 3))
    np.fill_diagonal(plain, x)
    return plain


@modes
@pytest.mark.parametrize("name", TRAPS)
def test_lost_derivatives_are_errors(name, mode):
    with pytest.raises((TypeError, RuntimeError, ValueError)) as info:
        MODES[mode](TRAPS[name], X)
    if name not in ("np.frombuffer", "memoryview", "setitem in flat"):  # NumPy and Python raise their own there
        assert isinstance(info.value, dt.DualtapeError), repr(info.value)
        assert len(str(info.value)) > 30


def in_place(operate):
    """A program that applies an operator in place to a plain array."""

    def f(x):
        plain = np.ones(3)
        plain = operate(plain, x)
        return np.sum(plain * plain)

    return f


def add(plain, x):
    plain += x
    return plain


def multiply(plain, x):
    plain *= x[1]
    return plain


def append(plain, x):
    rows = [plain, x]
    return np.stack(rows)[1]


# Each of these gives the derivative that stands beside it, or raises an error of dualtape.
EITHER = {
    "plain += traced": (in_place(add), 2 * (1 + X)),
    "plain *= traced": (in_place(multiply), [0.0, 6 * X[1], 0.0]),
    "full_like": (lambda x: np.sum(np.full_like(np.zeros(3), x)), [1.0, 1.0, 1.0]),
    "full_like of a scalar": (lambda x: np.sum(np.full_like(np.zeros(3), x[0])), [3.0, 0.0, 0.0]),
    "full": (lambda x: np.sum(np.full(3, x[0])), [3.0, 0.0, 0.0]),
    "np.array": (lambda x: np.sum(np.array(x)), [1.0, 1.0, 1.0]),
    "np.array of scalars": (lambda x: np.sum(np.array([x[0], 2.0, x[1]])), [1.0, 1.0, 0.0]),
    "np.array of arrays": (lambda x: np.sum(np.array([x, x])), [2.0, 2.0, 2.0]),
    "np.copy": (lambda x: np.sum(np.copy(x) * x), 2 * X),
    "np.asanyarray": (lambda x: np.sum(np.asanyarray(x) * x), 2 * X),
    "np.ascontiguousarray": (lambda x: np.sum(np.ascontiguousarray(x) * x), 2 * X),
    "np.atleast_2d": (lambda x: np.sum(np.atleast_2d(x) * x), 2 * X),
    "np.linspace": (lambda x: np.sum(np.linspace(0.0, x[0], 3)), [1.5, 0.0, 0.0]),
    "np.arange": (lambda x: np.sum(np.arange(0.0, x[0] + 0.5)), [0.0, 0.0, 0.0]),
    "np.interp": (lambda x: np.sum(np.interp([0.5], [0.0, 1.0], x[:2])), [0.5, 0.5, 0.0]),
    "np.vectorize": (lambda x: np.sum(np.vectorize(lambda e: e * e)(x)), 2 * X),
    "np.apply_along_axis": (lambda x: np.sum(np.apply_along_axis(lambda e: e * e, 0, x)), 2 * X),
    "np.block": (lambda x: np.sum(np.block([x, x])), [2.0, 2.0, 2.0]),
    "np.append": (lambda x: np.sum(np.append(x, x)), [2.0, 2.0, 2.0]),
    "np.histogram": (lambda x: np.sum(np.histogram(X, weights=x)[0]), [1.0, 1.0, 1.0]),
    "np.bincount": (lambda x: np.sum(np.bincount([0, 1, 1], weights=x)), [1.0, 1.0, 1.0]),
    "np.random": (lambda x: np.random.default_rng(0).normal(x[0], 0.0), [1.0, 0.0, 0.0]),
    "built-in sum": (lambda x: sum(x), [1.0, 1.0, 1.0]),
    "built-in max": (lambda x: max(x), [0.0, 0.0, 1.0]),
    "list of traced": (lambda x: np.sum([x[0], x[1]]), [1.0, 1.0, 0.0]),
    "stack of plain and traced": (lambda x: np.sum(append(np.ones(3), x)), [1.0, 1.0, 1.0]),
    "where of scalars": (lambda x: np.sum(np.where([True, False], x[0], x[1])), [1.0, 1.0, 0.0]),
    "plain dot traced scalars": (lambda x: np.dot([1.0, 2.0], [x[0], x[1]]), [1.0, 2.0, 0.0]),
    "plain.dot": (lambda x: np.ones(3).dot(x), [1.0, 1.0, 1.0]),
    "plain @ traced": (lambda x: np.sum(np.ones((3, 3)) @ x), [3.0, 3.0, 3.0]),
    "plain.clip": (lambda x: np.sum(X.clip(0.0, 1.5 * x[0])), [3.0, 0.0, 0.0]),
    "np.float64 * traced": (lambda x: np.sum(np.float64(2.0) * x), [2.0, 2.0, 2.0]),
    "np.float64 + an element": (lambda x: np.float64(2.0) + x[0], [1.0, 0.0, 0.0]),
    "0-d * traced": (lambda x: np.sum(np.array(2.0) * x), [2.0, 2.0, 2.0]),
    "object array": (lambda x: np.sum(np.array([x[0], x[1]], dtype=object)), [1.0, 1.0, 0.0]),
    "object array assigned": (lambda x: np.sum(_assigned(x)), [1.0, 0.0, 0.0]),
    "object array plus traced": (lambda x: np.sum(np.array([1.0, 2.0, 3.0], dtype=object) * x), X),
    "masked array": (lambda x: np.sum(np.ma.array(X, mask=[0, 1, 0]) * x), [1.0, 0.0, 3.0]),
    "traced * masked array": (lambda x: np.sum(x * np.ma.array(X, mask=[0, 1, 0])), [1.0, 0.0, 3.0]),
    "ufunc of a masked array": (lambda x: np.sum(np.multiply(x, np.ma.array(X, mask=[0, 1, 0]))), [1.0, 0.0, 3.0]),
    "matrix": (lambda x: np.sum(np.ones((3, 3)).view(np.matrix) * x[0]), [9.0, 0.0, 0.0]),
    "astype int": (lambda x: np.sum(x.astype(int) * x), X),
    "astype object": (lambda x: np.sum(x.astype(object)), [1.0, 1.0, 1.0]),
    "view as integers": (lambda x: np.sum(x.view(np.int64) * 0.0 + x), [1.0, 1.0, 1.0]),
    "copy of the value": (lambda x: np.sum(x.copy(order="F")), [1.0, 1.0, 1.0]),
    "scipy.special.logsumexp": (lambda x: scipy.special.logsumexp(x), np.exp(X) / np.sum(np.exp(X))),
    "scipy.special.softmax": (lambda x: scipy.special.softmax(x)[0] * 0.0 + x[0], [1.0, 0.0, 0.0]),
    "spacing": (lambda x: np.sum(np.spacing(x)), [0.0, 0.0, 0.0]),
    "heaviside": (lambda x: np.sum(np.heaviside(x, 0.5) * x), [1.0, 1.0, 1.0]),
    "pickle": (lambda x: np.sum(pickle.loads(pickle.dumps(x))), [1.0, 1.0, 1.0]),
    "tobytes": (lambda x: np.sum(np.frombuffer(x.tobytes())), [1.0, 1.0, 1.0]),
    "tolist": (lambda x: sum(x.tolist()), [1.0, 1.0, 1.0]),
    "nditer": (lambda x: sum(np.sum(e) for e in np.nditer(x)), [1.0, 1.0, 1.0]),
    "ndenumerate": (lambda x: sum(e for _, e in np.ndenumerate(x)), [1.0, 1.0, 1.0]),
    "as_strided": (lambda x: np.sum(np.lib.stride_tricks.as_strided(x, (3,), (8,))), [1.0, 1.0, 1.0]),
}


def _assigned(x):
    out = np.zeros(2, dtype=object)
    out[0] = x[0]
    return out


# Where NumPy or Python itself raises before dualtape is asked.
REFUSED = {"pickle", "view as integers", "np.random", "astype object", "nditer"}


@pytest.mark.parametrize("name", EITHER)
def test_right_or_refused(name):
    f, expected = EITHER[name]
    refusals = (TypeError, AttributeError, ValueError) if name in REFUSED else dt.DualtapeError
    with contextlib.suppress(refusals):
        close(MODES["reverse"](f, X), np.array(expected), 1e-12, "reverse")
    with contextlib.suppress(refusals):
        close(MODES["forward"](f, X), np.sum(expected), 1e-12, "forward")


# --- all of NumPy ---------------------------------------------------------------------------------------------------

P = np.array([0.7, 0.31, 0.93, 0.52])
Q = np.array([[1.2, 0.3, 0.41], [0.2, 1.5, 0.1], [0.35, 0.15, 1.8]])

# How a function is called, and with which x.
CALLS = {
    "f(x)": (P, lambda f, x: f(x)),
    "f(x, n)": (P, lambda f, x: f(x, 2)),
    "f(x, plain)": (P, lambda f, x: f(x, P[::-1] + 0.05)),
    "f(plain, x)": (P, lambda f, x: f(P[::-1] + 0.05, x)),
    "f(plain, sorted, x)": (P, lambda f, x: f(P + 0.01, np.sort(P), x + 1.0)),
    "f(mask, x, plain)": (P, lambda f, x: f(P > 0.6, x, P + 0.1)),
    "f(a, weights=x)": (P, lambda f, x: f([0, 1, 1, 2], weights=x)),
    "f([x, plain])": (P, lambda f, x: f([x, P + 0.2])),
    "f(scalar, scalar)": (P, lambda f, x: f(x[0], x[1])),
    "f(matrix)": (Q, lambda f, x: f(x)),
    "f(matrix, plain)": (Q, lambda f, x: f(x, Q.T + 0.03)),
    "f(plain, matrix)": (Q, lambda f, x: f(Q.T + 0.03, x)),
    "f(matrix, 1)": (Q, lambda f, x: f(x, 1)),
    "f(matrix, 0, 1)": (Q, lambda f, x: f(x, 0, 1)),
}
FUNCTIONS = {
    f"{module.__name__}.{name}": f
    for module in (np, np.linalg, np.fft)
    for name, f in vars(module).items()
    if (isinstance(f, np.ufunc) or type(f).__name__ == "_ArrayFunctionDispatcher") and not name.startswith("save")
}


def total(out):
    """All numbers of a result, whatever its structure."""
    if isinstance(out, tuple | list):
        return sum(total(part) for part in out)
    if out is None or np.asarray(primal(out)).dtype.kind not in "fc":
        return 0.0
    return np.sum(weights(np.shape(out)) * out).real


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS)
def test_every_function_of_numpy_is_right_or_refused(call):
    x, run = CALLS[call]
    wrong = []
    for name, function in FUNCTIONS.items():
        f = lambda x: total(run(function, x * 1.0))
        with np.errstate(all="ignore"):
            try:
                coarse, expected = difference_gradient(f, x, 1e-3), difference_gradient(f, x, 1e-4)
            except Exception:
                continue  # it cannot be called like this
            if not np.allclose(coarse, expected, rtol=1e-6, atol=1e-6):
                continue  # it is not differentiable here
            for differentiate in (dt.gradient, lambda f, x: dt.jacobian(f, x, mode="forward")):
                with contextlib.suppress(TypeError, AttributeError, ValueError):
                    found = differentiate(f, x)
                    if not np.allclose(found, expected, rtol=1e-5, atol=1e-6):
                        wrong.append(f"{name}: {found.tolist()}, not {expected.tolist()}")
    assert wrong == []


# --- no rule --------------------------------------------------------------------------------------------------------

NO_RULE = {
    "nextafter": lambda x: np.sum(np.nextafter(x, 1.0)),
    "spence": lambda x: np.sum(scipy.special.spence(x)),
    "hyp2f1": lambda x: np.sum(scipy.special.hyp2f1(1.0, 2.0, 3.0, x / 10)),
    "packbits": lambda x: np.sum(np.packbits(x)),
}


@modes
@pytest.mark.parametrize("name", NO_RULE)
def test_functions_without_a_rule_say_so(name, mode):
    with pytest.raises(dt.NoRuleError, match=name) as info:
        MODES[mode](NO_RULE[name], X)
    message = str(info.value)
    line = inspect.getsourcelines(NO_RULE[name])[1]
    assert f"{os.path.basename(__file__)}:{line}" in message
    assert "rule" in message


@pytest.mark.parametrize(
    "f", [lambda x: np.linalg.norm(np.outer(x, x), "nuc"), lambda x: np.sum(np.add.reduceat(x, [0, 2]))]
)
def test_options_without_a_rule_are_refused_or_right(f):
    with contextlib.suppress(dt.NoRuleError):
        close(dt.gradient(f, X), difference_gradient(f, X), 1e-9)


def test_errors_name_the_users_line():
    def f(x):
        plain = np.zeros(3)
        plain[0] = x[0]
        return plain

    line = inspect.getsourcelines(f)[1] + 2
    for mode in ("reverse", "forward"):
        with pytest.raises(dt.ConversionError) as info:
            MODES[mode](f, X)
        assert f"{os.path.basename(__file__)}:{line}" in str(info.value)
        assert "dt.zeros" in str(info.value) or "stop_gradient" in str(info.value)


def test_booleans_and_other_kinds_are_refused():
    for x in (np.ones(3, dtype=bool), np.array(["a"]), np.array([1], dtype="datetime64[s]")):
        with pytest.raises((TypeError, dt.DualtapeError)):
            dt.gradient(lambda x: 1.0, x) if x.dtype == bool else dt.gradient(lambda x: np.sum(x), x)


def test_constants_are_not_refused():
    def f(x):
        plain = np.zeros(3)
        plain[:] = dt.stop_gradient(x)
        plain[0] = dt.stop_gradient(x[0]) + float(dt.stop_gradient(np.sum(x)))
        return np.sum(plain * x)

    expected = X + np.array([6.0, 0.0, 0.0])
    close(dt.gradient(f, X), expected, 1e-15)
    close(dt.jacobian(f, X, mode="forward"), expected, 1e-15)


def test_a_traced_array_that_outlives_its_differentiation_says_so():
    kept = []
    dt.gradient(lambda x: kept.append(x * 2.0) or np.sum(x), X)
    for use in (lambda y: y * 2.0, lambda y: np.sum(y), lambda y: y[0], lambda y: y.__setitem__(0, 1.0), np.sin):
        with pytest.raises(dt.EscapedTracerError):
            use(kept[0])
    kept.clear()


def test_results_that_are_no_scalar():
    for f in (lambda x: x, lambda x: x[None, :1], lambda x: [x[0], x[1]], lambda x: "a"):
        with pytest.raises(dt.InputError):
            dt.gradient(f, X)
    with pytest.raises(dt.InputError):
        dt.gradient(lambda z: np.sum(z), X.astype(complex))


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_assignment_into_a_diagonal_is_refused_as_by_numpy(mode):
    def f(x):
        x.diagonal()[0] = 1.0
        return np.sum(x)

    with pytest.raises(ValueError, match="read-only"):
        dt.jacobian(f, np.eye(2), mode=mode)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_writes_into_broadcast_arrays_are_refused_as_by_numpy(mode):
    def f(x):
        np.broadcast_to(x, (3, 2))[0] = 1.0
        return np.sum(x)

    with pytest.raises((ValueError, dt.NoRuleError)):
        dt.jacobian(f, np.ones(2), mode=mode)


@modes
def test_f_s_own_exceptions_come_through(mode):
    class OwnError(Exception):
        pass

    def f(x):
        np.sum(x * x)
        raise OwnError("mine")

    with pytest.raises(OwnError, match="mine"):
        MODES[mode](f, X)


def test_shapes_of_tangents_and_cotangents_are_checked():
    for run in (
        lambda: dt.pushforward(lambda x: x, X, np.ones(2)),
        lambda: dt.pullback(lambda x: x, X)[1](np.ones(2)),
        lambda: dt.hvp(lambda x: np.sum(x * x), X, np.ones(4)),
    ):
        with pytest.raises((ValueError, TypeError)):
            run()
