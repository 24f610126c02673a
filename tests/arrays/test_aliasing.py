"""Whether a result is a view or a copy: as in NumPy, for a program may write to it, or to what it was made from."""

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import primal

# Functions of a matrix x whose result is one array (or several, of which the first is taken).
EXPRESSIONS = """
np.einsum('ij->ji', x) | np.einsum('ii->i', x) | np.einsum('ij', x) | np.einsum('...j->j...', x)
np.einsum('...', x) | np.einsum('ij->ji', x, optimize=True) | np.einsum(x, [0, 1], [1, 0])
np.einsum(x, [0, 0], [0]) | np.einsum('ij->i', x) | np.einsum('ij->ji', x, order='C')
np.einsum('ij->ij', x, dtype=complex, casting='unsafe') | np.diagonal(x) | np.diag(x) | np.real(x) | x.real
x.conj() | x.conjugate() | np.conj(x) | np.broadcast_to(x, (2, 3, 3)) | np.squeeze(x) | x.squeeze() | np.rot90(x, 0)
np.rot90(x, 1) | np.rot90(x, 2) | np.rot90(x, 3) | np.flip(x) | np.flipud(x) | np.fliplr(x) | np.atleast_1d(x)
np.atleast_2d(x) | np.atleast_3d(x) | np.atleast_2d(x, x) | np.split(x, 3) | np.array_split(x, 2) | np.hsplit(x, 3)
np.vsplit(x, 3) | np.dsplit(x[None], 3) | np.ravel(x) | x.ravel() | np.ravel(x.T) | x.T.ravel(order='K')
np.ravel(x, order='F') | np.ravel(x.T, order='F') | np.ravel(x, order='A') | x.flatten() | np.swapaxes(x, 0, 1)
np.rollaxis(x, 1) | np.moveaxis(x, 0, 1) | np.transpose(x) | np.permute_dims(x) | np.matrix_transpose(x) | x.T
x.mT | np.linalg.matrix_transpose(x) | np.linalg.diagonal(x) | np.trim_zeros(x[0]) | np.nan_to_num(x, copy=False)
np.nan_to_num(x) | np.real_if_close(x) | np.copy(x) | np.astype(x, x.dtype) | np.astype(x, x.dtype, copy=False)
x.astype(x.dtype) | x.astype(x.dtype, copy=False) | np.meshgrid(x[0], x[1]) | np.meshgrid(x[0], x[1], sparse=True)
np.meshgrid(x[0], x[1], copy=False, sparse=True) | np.unstack(x) | np.reshape(x, (9,)) | np.reshape(x.T, (9,))
np.reshape(x, (9,), copy=True) | x.reshape(9, order='F') | x.T.reshape(9, order='F') | np.resize(x, (3, 3))
np.linalg.matrix_power(x, 1) | np.linalg.matrix_power(x, 0) | np.diff(x, n=0) | np.tile(x, 1) | np.repeat(x, 1)
np.roll(x, 0) | np.pad(x, 0) | np.sum(x, axis=()) | np.mean(x, axis=()) | np.max(x, axis=()) | np.prod(x, axis=())
np.add.reduce(x, axis=()) | np.maximum.reduce(x[:1]) | np.subtract.reduce(x[:1])
np.divide.reduce(x[:, :1], axis=1) | np.cumsum(x, axis=0) | np.subtract.accumulate(x[:1]) | np.delete(x, [], axis=0)
np.concatenate([x]) | np.stack([x]) | np.block([[x]]) | np.block(x) | np.hstack([x]) | np.append(x, [])
np.take(x, [0, 1, 2], axis=0) | np.take(x, 0, axis=0) | np.compress([True] * 3, x, axis=0) | np.where(x != 9, x, x)
np.round(x) | np.tril(x) | np.triu(x, -5) | np.sort(x) | np.fft.fftshift(x) | np.kron(1.0, x) | np.positive(x) | +x
x[...] | x[()] | x[:] | x[None] | x[0] | x[[0, 1, 2]] | x[np.array(0)] | x[np.int64(0)] | x[True] | x.view()
x.copy() | x.take([0, 1], axis=0) | x.repeat(1) | x.flat[:] | np.multiply(x, 1)
np.linalg.multi_dot([x, np.eye(3)]) | np.apply_over_axes(np.sum, x, []) | np.atleast_1d(x[0])
"""
EXPRESSIONS = [e.strip() for line in EXPRESSIONS.strip().split("\n") for e in line.split(" | ")]


def sharing(expression, x):
    """What writing to the result does to x, and writing to x to the result."""
    out = eval(expression, {"np": np, "x": x})
    out = out[0] if isinstance(out, tuple | list) else out
    before = np.array(primal(x))
    try:
        out[...] = 7.0
        through = bool(np.any(primal(x) != before))
    except ValueError:
        through = "read-only"
    before = np.array(primal(out))
    x[...] = 5.0
    return through, bool(np.any(primal(out) != before))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_results_share_memory_as_numpys_do(expression, dtype):
    x = (0.1 + 0.1 * np.arange(9.0)).reshape(3, 3).astype(dtype)
    expected, found = sharing(expression, x.copy()), []

    def f(x):
        found.append(sharing(expression, x))
        return np.real(np.sum(x))

    dt.gradient(f, x)
    dt.pushforward(f, x, x)
    assert found == [expected] * 2


def test_derivatives_go_through_the_views_that_einsum_gives():
    def f(x):
        y = 2.0 * x
        diagonal = np.einsum("ii->i", y)
        diagonal *= x[0]
        np.einsum("ij->ji", y)[0] = 3.0 * x[1]
        return np.sum(y * y)

    def plain(x):  # the same, by indices
        y = 2.0 * x
        for i in range(3):
            y[i, i] *= x[0, i]
        y[:, 0] = 3.0 * x[1]
        return np.sum(y * y)

    x = np.cos(np.arange(9.0)).reshape(3, 3)
    steps = 1e-30j * np.eye(9).reshape(9, 3, 3)
    expected = np.reshape([np.imag(plain(x + e)) / 1e-30 for e in steps], (3, 3))
    np.testing.assert_allclose(dt.gradient(f, x), expected, rtol=1e-13)
    np.testing.assert_allclose(dt.pushforward(f, x, np.ones((3, 3)))[1], expected.sum(), rtol=1e-13)
    np.testing.assert_allclose(np.sum(dt.hessian(f, x), (2, 3)), dt.hvp(f, x, np.ones((3, 3))), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 0), (0, 3), (0,), (2, 0, 3)])
def test_products_of_no_elements_have_derivatives(shape):
    x = np.zeros(shape)
    for axis in (None, *range(len(shape))):
        expected = np.prod(x, axis=axis)
        value, slope = dt.pushforward(lambda x, axis=axis: np.prod(x, axis=axis), x, x)
        np.testing.assert_array_equal(value, expected)
        np.testing.assert_array_equal(slope, np.zeros_like(expected))
        assert dt.gradient(lambda x, axis=axis: np.sum(np.prod(x, axis=axis)), x).shape == shape


def test_place_takes_a_list_of_numbers_into_float32():
    def f(x):
        y = x * 2.0
        np.place(y, [True, False, True], [0.4, x[1]])
        return np.sum(y * y)

    slopes = dt.gradient(f, np.float32([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(slopes, [0.0, 20.0, 0.0], rtol=1e-6)
    assert slopes.dtype == np.float32


# Functions of an array x and a plain one y of its shape that lies as x does: whether reshape gives a view of the result
# depends on how the result lies.
LAID_OUT = """
x + y | y - x | np.maximum(y.copy(), x) | x * y[:1] | np.where(x > 0, x, y) | np.hypot(x, y) | np.sin(x) | x**2
np.concatenate([x, y]) | np.stack([x, y], 1) | np.pad(x, 1) | np.pad(x, 1, mode='edge') | np.insert(x, 1, 1.0, 0)
np.block([x, x]) | np.roll(x, 1, 0) | np.sort(x, 0) | np.partition(x, 1, -1) | np.cumsum(x, 0) | np.diff(x, axis=0)
np.sum(x, 0) | np.sum(x, -1) | np.sum(x, 1, keepdims=True) | np.mean(x, 0) | np.max(x, 1) | np.prod(x, 0)
np.var(x, 0) | np.einsum('i...->...i', x) | x.copy('K') | np.zeros_like(x) | np.tril(x) | np.clip(x, 0.0, 1.0)
"""
LAID_OUT = [e.strip() for line in LAID_OUT.strip().split("\n") for e in line.split(" | ")]
BOX = np.cos(np.arange(24.0)).reshape(2, 4, 3)
LAYOUTS = {
    "C": BOX,
    "F": np.asfortranarray(BOX),
    "permuted": BOX.transpose(1, 0, 2),
    "transposed": BOX.transpose(2, 0, 1),
    "reversed": BOX.transpose(0, 2, 1)[::-1],
    "matrix, F": BOX[0].copy("F"),
    "matrix, steps": np.cos(np.arange(96.0)).reshape(8, 12)[::2, ::3].T,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("expression", LAID_OUT)
def test_results_lie_as_numpys_do(expression, layout):
    x = LAYOUTS[layout]
    steps = lambda a: [step // a.dtype.itemsize for n, step in zip(a.shape, a.strides, strict=True) if n > 1]
    run = lambda x, y: eval(expression, {"np": np, "x": x, "y": y})
    expected, found = steps(run(x, 0.5 * x)), []

    def f(z):
        found.append(steps(run(z, 0.5 * x)))
        return np.sum(z)

    dt.gradient(f, x)
    dt.pushforward(f, x, x)
    assert found == [expected] * 2


def test_writing_to_a_result_that_lies_as_a_plain_operand():
    def f(x):
        y = x.T + np.ones((3, 2)).T.copy("F")
        y.reshape(-1)[0] = 0.0  # a copy: y does not change
        return np.sum(y * y)

    x = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(dt.gradient(f, x), 2.0 * (x + 1.0))
