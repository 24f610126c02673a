"""Joins of few numbers, which nodes in C record: every mode against complex steps on plain NumPy."""

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import check

PLAIN = np.array([[0.5, -1.5, 2.0], [1.0, 0.25, -0.75]])


def rewritten(x):
    """What was joined, and the result, are written to later."""
    part = x * 1.0
    plain = PLAIN[0].copy()
    y = np.concatenate([part, plain, part[::-1]])
    z = y * y
    part[:] = 0.0
    plain[:] = 7.0
    y[1:4] = y[2:5] * x[0]
    y[-1] = 3.0
    return np.concatenate([z, y, y[::2]])


def chosen(x):
    condition = x > 0.95
    y = np.where(condition, x * x, x[::-1])
    condition[:] = False  # of the program, and no business of the result
    return y * np.where(x > 1.0, 2.0, x)


PROGRAMS = {
    "arrays": lambda x: np.concatenate([x * x, x, x[1:] * x[0]]),
    "plain parts": lambda x: np.concatenate([PLAIN[0], x * x, PLAIN[1]]) ** 2,
    "same part twice": lambda x: np.concatenate([x, x]) * np.concatenate([x[::-1], x]),
    "views": lambda x: np.concatenate([x[::-1], x[::2], x[1:4]]) ** 2,
    "rows": lambda x: np.concatenate([x.reshape(2, 3), PLAIN, x.reshape(2, 3) ** 2], axis=0) ** 3,
    "columns": lambda x: np.concatenate([PLAIN, x.reshape(2, 3), x.reshape(2, 3)[:, :1]], axis=-1) ** 2,
    "transposed": lambda x: np.concatenate([x.reshape(2, 3).T, x.reshape(3, 2)], axis=1).reshape(-1) ** 2,
    "broadcast part": lambda x: np.concatenate([np.broadcast_to(x[:2], (3, 2)), x.reshape(3, 2)], axis=1) ** 2,
    "empty part": lambda x: np.concatenate([x[:0], x, np.zeros(0)]) ** 2,
    "all axes": lambda x: np.concatenate([x.reshape(2, 3).T, PLAIN], axis=None) ** 2,
    "stack": lambda x: np.stack([x, x * x, np.ones(6)]) ** 2,
    "stack behind": lambda x: np.stack([x, x * x], axis=-1) ** 3,
    "stack of numbers": lambda x: np.stack([x[0] * x[1], x[2], 2.0, x[2] * x[5], 3]) ** 2,
    "stack of sums": lambda x: np.stack([np.sum(x * x), np.prod(x)]) ** 2,
    "hstack": lambda x: np.hstack([x[0] * x[1], x, x[2]]) ** 2,
    "vstack": lambda x: np.vstack([x, x * x]) ** 2,
    "column_stack": lambda x: np.column_stack([x, x * x]) ** 2,
    "rewritten": rewritten,
    "where": chosen,
    "where of numbers": lambda x: np.where(np.array([True, False, True]), x[0] * x[1], x[2]) ** 2,
    "where broadcast": lambda x: np.where(np.array([[1], [0], [2]]), x * x, x[:1]) * x[1],
    "where plain": lambda x: np.where(x > 1.0, x * x, np.arange(6)) * np.where(x < 1.0, PLAIN[0, 0], x),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_modes(name):
    check(PROGRAMS[name], np.array([0.7, 1.3, 0.4, 1.1, 0.9, 1.7]))


def test_layout():
    """The result lies in memory as NumPy's does."""
    x = np.arange(6.0).reshape(2, 3)
    for parts in (lambda x: [x.T, x.T], lambda x: [x, x], lambda x: [x.T[::-1], x.T], lambda x: [x[:, :1], x]):
        for axis in (0, 1):
            try:
                plain = np.concatenate(parts(x), axis=axis)
            except ValueError:
                continue
            seen = []
            dt.gradient(lambda x, p=parts, a=axis, s=seen: s.append(np.concatenate(p(x), axis=a)) or s[0].sum(), x)
            assert seen[0].strides == plain.strides


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.concatenate([x, x], axis=1),
        lambda x: np.concatenate([x, x], axis=-2),
        lambda x: np.concatenate([x, x.reshape(2, 3)]),
        lambda x: np.concatenate([x.reshape(2, 3), x.reshape(3, 2)]),
        lambda x: np.concatenate([x.reshape(2, 3), x.reshape(2, 3)], axis=2),
        lambda x: np.concatenate([np.sum(x), x]),
        lambda x: np.stack([x, x], axis=2),
        lambda x: np.stack([x, x], axis=-3),
        lambda x: np.stack([x, x[1:]]),
        lambda x: np.stack([x[0], x[1]], axis=1),
        lambda x: np.where(np.ones(5, bool), x, 0.0),
    ],
)
def test_errors_are_numpys(call):
    x = np.arange(6.0)
    with pytest.raises((ValueError, IndexError)) as plain:
        call(x)
    with pytest.raises(plain.type):
        dt.gradient(lambda x: np.sum(call(x)), x)


def test_two_differentiations():
    """Numbers of two tapes meet in one array."""

    def outer(a):
        inner = dt.gradient(lambda b: np.sum(np.stack([a * b, b * b, a]) * np.concatenate([np.stack([b, a]), [b]])))
        return inner(2.0)

    # a b^2 + a b^2 + a b, differentiated by b: 4 a b + a, and by a
    assert dt.gradient(outer, 3.0) == pytest.approx(9.0)


def test_a_closed_tape():
    kept = []
    dt.gradient(lambda x: kept.append(x) or np.sum(x), np.ones(3))
    dt.gradient(lambda x: kept.append(x) or x * x, 2.0)
    for call in (lambda: np.concatenate([kept[0], kept[0]]), lambda: np.stack([kept[1], kept[1]])):
        with pytest.raises(dt.EscapedTracerError):
            call()
