"""What fails leaves arrays as they were, and says what NumPy says; warnings of the arithmetic are NumPy's."""

import inspect
import math
import operator
import os
import warnings

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import check_case, primal, weights
from arrays.test_attributes import inside

X = np.array([1.0, 2.0, 3.0, 4.0])
NARROW = ([0, 1], np.array([True, False, True, False]), slice(0, 2), (slice(None, None, -2),))


# --- assignments ----------------------------------------------------------------------------------------------------


def assign(key, value):
    return lambda y, x: operator.setitem(y, key, value(x))


FAILING = {f"shape into {key}": assign(key, lambda x: x[:3]) for key in NARROW} | {
    "shape of everything": assign(..., lambda x: x.reshape(2, 2)),
    "rows": assign(slice(None), lambda x: np.stack([x, x])),
    "index out of bounds": assign(7, lambda x: x[0]),
    "indices out of bounds": assign([0, 9], lambda x: x[:2]),
    "too many indices": assign((0, 0), lambda x: x[0]),
    "mask of another length": assign(np.ones(3, bool), lambda x: x[0]),
    "no number": assign(0, lambda x: "a"),
    "a ragged list": assign(..., lambda x: [x[0], [x[1]], 1.0, 2.0]),
    "in place": lambda y, x: operator.iadd(y, x.reshape(4, 1)),
    "out": lambda y, x: np.add(x[:2], 1.0, out=y[1:]),
    "add.at": lambda y, x: np.add.at(y, [0, 1], x[:3]),
    "fill": lambda y, x: y.fill(x),
}


@pytest.mark.parametrize("make", ["traced", "plain"])
@pytest.mark.parametrize("name", FAILING)
def test_a_failed_assignment_changes_nothing(name, make):
    with pytest.raises((ValueError, IndexError, TypeError)) as info:
        FAILING[name](X.copy(), X.copy())
    builtin = type(info.value)

    def look(x):
        y = x * 1.5 if make == "traced" else dt.array(X)
        kept, level, kind = primal(y).copy(), y._level, type(y + 0.0)
        with pytest.raises((builtin, dt.DualtapeError)):
            FAILING[name](y, x)
        np.testing.assert_array_equal(primal(y), kept)
        assert y._level == level and type(y + 0.0) is kind
        y[1] = x[0] * x[1]  # it goes on as if nothing had been
        assert np.sum(y) == np.sum(kept) - kept[1] + 2.0
        return True

    inside(look, X)


def test_traced_numbers_in_integers_change_nothing():
    def look(x):
        y = dt.ones(3, int)
        for key, value in ((0, x[0]), (slice(None), x[:3]), ([0, 0], x[:2]), (y > 0, x[1])):
            with pytest.raises(dt.ConversionError, match="int64"):
                y[key] = value
        assert y.tolist() == [1, 1, 1] and type(y) is dt.Array and y._level == 0
        return True

    inside(look, X)


def test_the_derivative_after_a_failed_assignment():
    def case(x, dt):
        y = dt.zeros(4)
        y[1:3] = x[:2] ** 2
        for bad in (x[:3], x.reshape(2, 2)):
            with pytest.raises(ValueError, match="broadcast"):
                y[:2] = bad
        y[0] = x[3]
        return y * x

    check_case(case, X)


def test_a_value_of_an_ended_differentiation_changes_nothing():
    kept = []
    dt.gradient(lambda x: kept.append(x * 1.0) or x[0], X)
    y = dt.zeros(4)
    with pytest.raises(dt.EscapedTracerError):
        y[...] = kept[0]
    kept.clear()
    assert y.tolist() == [0.0] * 4 and type(y + 1.0) is dt.Array


# --- ufunc.at -------------------------------------------------------------------------------------------------------

MASK = np.array([True, False, True, True])
AT = {
    "repeated": lambda y, x: np.add.at(y, [0, 1, 1, 0], x),
    "of itself": lambda y, x: np.add.at(y, [0, 1, 1, 0], y),
    "product of itself": lambda y, x: np.multiply.at(y, [0, 1, 1, 0], y),
    "product of a view of itself": lambda y, x: np.multiply.at(y, [0, 0, 0, 3], y[::-1]),
    "of itself, none repeated": lambda y, x: np.add.at(y, [0, 1, 2], y[1:]),
    "mask": lambda y, x: np.add.at(y, MASK, x[:3]),
    "mask and a scalar": lambda y, x: np.multiply.at(y, MASK, x[1]),
    "mask of itself": lambda y, x: np.multiply.at(y, MASK, y[1:]),
    "slice": lambda y, x: np.subtract.at(y, slice(0, 3), x[1:]),
    "tuple": lambda y, x: np.add.at(y.reshape(2, 2), ([0, 1, 0], [1, 1, 1]), x[:3]),
    "rows": lambda y, x: np.multiply.at(y.reshape(2, 2), [0, 0, 1], x[:2]),
    "columns": lambda y, x: np.add.at(y.reshape(2, 2), (slice(None), [0, 0]), x[:2]),
    "Ellipsis": lambda y, x: np.subtract.at(y, ..., x),
    "negative places": lambda y, x: np.divide.at(y, [1, 1, -3], x[:3]),
    "unary": lambda y, x: np.sin.at(y, [0, 1, 1]),
    "power": lambda y, x: np.power.at(y, [0, 1, 1], 2.0),
    "one place": lambda y, x: np.add.at(y, 1, x[0]),
    "no places": lambda y, x: np.add.at(y, [], x[:0]),
    "two axes of places": lambda y, x: np.add.at(y, np.array([[0, 1], [1, 0]]), x.reshape(2, 2)),
}


@pytest.mark.parametrize("name", AT)
def test_at_in_every_mode(name):
    def case(x, dt):
        y = x * 1.5
        AT[name](y, x)
        return y

    check_case(case, X)


# --- warnings -------------------------------------------------------------------------------------------------------

FLAGS = {
    "log of 0": lambda x: np.log(x * 0.0),
    "reciprocal": lambda x: 1.0 / (x * 0.0),
    "division in place": lambda x: operator.itruediv(x * 1.0, 0.0),
    "overflow": lambda x: np.exp(x * 1e4),
    "overflow of a product": lambda x: (x * 1e200) * (x * 1e200),
    "overflow of a row": lambda x: (x * 1e200)[:2] * (x * 1e200).reshape(2, 2).T,
    "overflow of a power": lambda x: (x * 1e200) ** 3,
    "invalid": lambda x: np.sqrt(-x),
    "infinity less itself": lambda x: (x / (x * 0.0)) - (x / (x * 0.0)),
    "np.matmul": lambda x: np.matmul(x * 1e200, x * 1e200),
    "a power by a function": lambda x: np.power(x * 0.0, -1.5),
    "out": lambda x: np.log(x * 0.0, out=np.zeros_like(x)),
    "matmul": lambda x: (x * 1e200) @ (x * 1e200),
    "a matrix and a vector": lambda x: (x * 1e200).reshape(2, 2) @ (x[:2] * 1e200),
    "underflow": lambda x: np.exp(x * -1e4),
    "nothing": lambda x: np.exp(np.sin(x) * np.cos(x[::-1])) / x + np.sqrt(x) @ x,
}


def messages(f, x):
    """The warnings that f gives, and where."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        f(x)
    return {str(w.message) for w in seen}, {os.path.basename(w.filename) for w in seen}


@pytest.mark.parametrize("name", FLAGS)
def test_warnings_are_numpys(name):
    f = FLAGS[name]
    expected, _ = messages(f, X.copy())
    seen = []

    def look(x):
        seen.append(messages(f, x))
        return np.sum(x)

    dt.gradient(look, X)
    for found, files in seen:
        assert found == expected
        assert files <= {os.path.basename(__file__)}


@pytest.mark.parametrize("name", FLAGS)
def test_errstate_is_obeyed(name):
    f = FLAGS[name]

    def outcome(x):
        try:
            f(x)
        except FloatingPointError as error:
            return str(error)
        return None

    with np.errstate(all="raise"):
        expected = outcome(X.copy())
        for found in inside(outcome, X)[:1]:
            assert found == expected
    with np.errstate(all="ignore"), warnings.catch_warnings(action="error"):
        inside(outcome, X)


def test_errstate_with_a_function():
    seen = []
    with np.errstate(all="call", call=lambda kind, flag: seen.append((kind, flag))):
        np.log(X * 0.0)
        dt.gradient(lambda x: np.sum(np.log(x * 0.0)), X)
    assert len(seen) >= 2 and len(set(seen)) == 1


# --- messages -------------------------------------------------------------------------------------------------------


def stored(x):
    np.zeros(3)[0] = x[0]


# What is lost, and words that the message must have.
LOST = {
    "store": (stored, ("dt.zeros(n)", "dt.array(")),
    "np.array": (lambda x: np.array([x[0], x[1]]), ("dt.array([x, y])", "np.array()")),
    "np.array of rows": (lambda x: np.array([x, x]), ("np.stack", "dt.array([x, y])")),
    "np.asarray": (np.asarray, ("dt.array(x)", "stop_gradient")),
    "float": (float, ("stop_gradient", "np.sin(x)")),
    "float of an element": (lambda x: float(x[0]), ("stop_gradient", "dt.sin(x)")),
    "math.sin": (lambda x: math.sin(x[0]), ("math.sin", "dt.sin(x) or np.sin(x)")),
    "np.sum of a list": (lambda x: np.sum([x[0], 3.0]), ("np.sum()", "dt.array([x, y])")),
    "np.max of a list": (lambda x: np.max([x[0], x[1]]), ("np.max()", "dt.array([x, y])")),
    "np.mean of a list": (lambda x: np.mean([x[0], 3.0]), ("np.mean()", "dt.array([x, y])")),
    "np.prod of a list": (lambda x: np.prod([x[0], 3.0]), ("np.prod()", "dt.array([x, y])")),
    "np.linalg.norm of a list": (lambda x: np.linalg.norm([x[0], 3.0]), ("np.linalg.norm()", "dt.array([x, y])")),
    "np.dot of lists": (lambda x: np.dot([x[0], 3.0], [1.0, 2.0]), ("NumPy", "dt.array([x, y])")),
    "np.sum of a list of arrays": (lambda x: np.sum([x, x]), ("np.sum()", "np.stack([x, y])")),
}


@pytest.mark.parametrize("name", LOST)
def test_messages_tell_what_to_write(name):
    lose, words = LOST[name]
    if inspect.isfunction(lose):
        line = inspect.getsourcelines(lose)[1] + (lose is stored)

    def look(x):
        with pytest.raises(dt.ConversionError) as info:
            lose(x)
        message = str(info.value)
        assert all(word in message for word in words), message
        assert not inspect.isfunction(lose) or f"{os.path.basename(__file__)}:{line}:" in message
        return True

    inside(look, X)


def test_what_the_messages_say_works():
    w = weights((2,))
    for f in (
        lambda x: np.sum(dt.array([x[0], 3.0]) ** 2),
        lambda x: np.sum(np.stack([x, x]) ** 2) / 2 - np.sum(x[1:] ** 2),
        lambda x: np.dot(dt.array([x[0], 3.0]), [1.0, 2.0]) ** 2 - 6.0**2 - 12.0 * x[0],
        lambda x: np.array([x[0], 3.0], dtype=object) @ w * x[0] / w[0] - 3.0 * w[1] / w[0] * x[0],
    ):
        np.testing.assert_allclose(dt.gradient(f, X), [2.0, 0.0, 0.0, 0.0], atol=1e-13)
