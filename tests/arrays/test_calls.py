"""Masks as lists, ``out=`` of another shape, axes of matmul's kin, and comparisons with what is no number."""

import numpy as np
import pytest

import dualtape as dt
from arrays.differences import agree
from arrays.random_programs import weights

X = weights((2, 3), 1) + 1.5
CUBE = weights((2, 2, 2), 3)

# --- derivatives, against differences of plain NumPy ----------------------------------------------------------------


def copied(x, mask):
    """A copy where a mask holds."""
    out = np.zeros_like(x)
    np.copyto(out, x, where=mask)
    return out


RIGHT = {
    "where= a list": lambda x: np.add(x, x * x, out=np.ones_like(x), where=[1, 0, 1]),
    "where= a number": lambda x: np.multiply(x, x, out=np.ones_like(x), where=1),
    "where= nothing": lambda x: np.multiply(x, x, out=np.ones_like(x), where=0) + x,
    "copyto where= a list": lambda x: copied(x, [0, 1, 1]),
    "mean where= a list": lambda x: np.mean(x * x, axis=1, where=[1, 1, 0]),
    "var where= a list": lambda x: np.var(x, axis=1, where=[1, 0, 1]),
    "nanmean where= a list": lambda x: np.nanmean(x * x, axis=1, where=[0, 1, 1]),
    "nanvar where= a list": lambda x: np.nanvar(x, axis=1, where=[0, 1, 1]),
    "vecdot along an axis": lambda x: np.vecdot(x, x * x, axis=0),
    "vecdot that keeps the axis": lambda x: np.vecdot(x, x * x, keepdims=True),
    "vecdot along axes": lambda x: np.vecdot(x[:, :2], x[:, :2].T * x[1, 2], axes=[0, 1, ()]),
    "vecdot with a place to keep": lambda x: np.vecdot(CUBE * x[0, 0], CUBE * x[1, 1], axes=[2, 1, 0], keepdims=True),
    "vecdot that keeps a last axis": lambda x: np.vecdot(CUBE * x[0, 0], CUBE * x[1, 1], axes=[1, 0], keepdims=True),
    "vecdot that keeps the first": lambda x: np.vecdot(CUBE * x[0, 0], CUBE * x[1, 1], axis=0, keepdims=True),
    "average over a list of axes": lambda x: np.average(x * x, axis=[0, 1], weights=np.abs(x) + 1.0),
    "largest of nothing": lambda x: np.max(x[:0], axis=0, initial=x[0, 0] * x[0, 1]),
    "where a number is not 0": lambda x: np.where(x[0, 0], x[0, 1] * x[0, 2], 4.0),
    "sign of complex infinities": lambda x: np.sign(np.stack([x * (1 + 2j), x * 0.0 - np.inf])),
    "spacing of a number": lambda x: x[0, 0] * np.spacing(x[0, 1]) * 1e15,
    "matmul along axes": lambda x: np.matmul(CUBE * x[0, 0], CUBE * x[1, 1], axes=[(1, 2), (0, 1), (1, 0)]),
    "matvec along axes": lambda x: np.matvec(CUBE * x[0, 0], x[:, :2], axes=[(0, 2), 0, 1]),
    "vecmat along axes": lambda x: np.vecmat(x[:, :2], CUBE * x[0, 0], axes=[0, (1, 2), 0]),
    "reduceat of nothing": lambda x: np.concatenate([np.add.reduceat(x, np.zeros(0, int)), x * x]),
    "cond of regular and singular": lambda x: 1.0 / np.linalg.cond(np.stack([x[:, :2], x[:, :2] * 0.0]), 1),
    "attributes of a number": lambda x: x[0, 0].astype(float) * x[1, 1].copy().clip(0, 9) * x.sum().dtype.itemsize,
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, which divides where the mask does not hold
def test_derivatives(name):
    agree(RIGHT[name], X)


def test_standard_deviation_of_one_complex_number():
    for z in (0.3 + 0.1j, np.complex128(0.3 + 0.1j), np.array(0.3 + 0.1j)):
        assert dt.gradient(np.std, z) == 0.0
        assert dt.gradient(np.var, z) == 0.0


# --- values and errors, as of plain NumPy ---------------------------------------------------------------------------

SAME = {
    "initial= nothing": lambda x: np.max(x, axis=0, initial=None),
    "initial= of nothing": lambda x: np.max(x[:0], axis=0, initial=1),
    "== None": lambda x: x == None,  # noqa: E711
    "!= None": lambda x: x != None,  # noqa: E711
    "== a word": lambda x: x == "a",
    "cond of zero": lambda x: np.linalg.cond(x * 0.0),
    "smallest cond of zero": lambda x: np.linalg.cond(x * 0.0, -2),
    "cond of zero by sums": lambda x: np.linalg.cond((x * 0.0)[:, :2], 1),
    "cond of a tiny matrix": lambda x: np.linalg.cond(x[:, :2] * 1e-200, 1),
    "norm of nothing": lambda x: np.linalg.vector_norm(x[:0], ord=np.inf),
    "matrix norm of nothing": lambda x: np.linalg.matrix_norm(x[:0], ord=2),
}
WRONG = {
    "mask of integers": lambda x: np.add(x, x, out=np.ones_like(x), where=np.array([1, 0, 1])),
    "mask of integers in a sum": lambda x: np.sum(x, where=np.array([1, 0, 1])),
    "out= of a sum": lambda x: np.sum(x, axis=0, out=np.zeros_like(x)),
    "out= of a reduction": lambda x: np.minimum.reduce(x, axis=0, out=np.zeros_like(x)),
    "out= of a mean": lambda x: np.mean(x, axis=0, out=np.zeros_like(x)),
    "out= of running sums": lambda x: np.cumsum(x[0], out=np.zeros_like(x)),
    "out= of joined arrays": lambda x: np.concatenate([x[0, :2], x[0, :1]], out=np.zeros_like(x)),
    "out= and dtype= of joined arrays": lambda x: np.concatenate([x], out=np.zeros_like(x), dtype=float),
    "out= of taken elements": lambda x: np.take(x[0], [0, 1, 1], out=np.zeros_like(x)),
    "out= of dot": lambda x: np.dot(x[0], x.T[:, :1] + x.T, out=np.zeros_like(x)),
    "out= of einsum": lambda x: np.einsum("ij->j", x, out=np.zeros_like(x)),
    "mode of convolve": lambda x: np.convolve(x[0], x[1], mode="s"),
    "list of axes": lambda x: np.sum(x, axis=[0, 1]),
    "axis True": lambda x: np.max(x, axis=True),
    "axes of tensordot": lambda x: np.tensordot(x, x, ([0, 5], [0, 1])),
    "too many axes of tensordot": lambda x: np.tensordot(x, x, 5),
    "two kinds of sort": lambda x: np.sort(x, kind="stable", stable=True),
    "fewer columns than none": lambda x: np.vander(x[0], -1),
    "axes of matmul": lambda x: np.matmul(x, x.T, axes=[0, 1]),
    "keepdims of matmul": lambda x: np.matmul(x, x.T, keepdims=True),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values(name):
    plain = SAME[name](X)
    f = lambda x: 1.0 * SAME[name](x)
    for found in (dt.pullback(f, X)[0], dt.pushforward(f, X, X)[0]):
        np.testing.assert_allclose(found, plain, rtol=1e-13)
        assert np.shape(found) == np.shape(plain)


@pytest.mark.parametrize("name", WRONG)
def test_errors(name):
    with pytest.raises(Exception) as plain:
        WRONG[name](X)
    with pytest.raises(plain.type):
        dt.pullback(WRONG[name], X)
    with pytest.raises(plain.type):
        dt.pushforward(WRONG[name], X, X)
