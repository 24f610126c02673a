"""What holds for every program: the modes are adjoint, Hessians symmetric, and memory layout does not matter."""

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import dualtape as dt
from arrays.random_programs import close, weights

shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)
numbers = st.floats(-1.5, 1.5, allow_subnormal=False).map(lambda x: round(x, 3))


def arrays(shape=shapes):
    return hnp.arrays(np.float64, shape, elements=numbers)


def smooth(x):
    """Products, broadcasting, views and assignments."""
    y = np.sin(x) * x[::-1]
    y[..., 0] += x[..., -1] ** 2
    z = y.T
    z[-1] *= np.cos(z[0])
    return np.concatenate([y.reshape(-1), np.cumsum(x, axis=0).ravel() * np.sum(x)]) / (1.0 + np.mean(x * x))


def total(f):
    return lambda x: np.sum(np.sin(f(x)) * weights(np.shape(f(x))))


functions = st.sampled_from(
    [
        smooth,
        lambda x: x * x[..., :1] + x.mean(),
        lambda x: np.exp(-x) @ x.T if x.ndim == 2 else np.outer(x, np.tanh(x)),
        lambda x: np.where(x > 0, x * x, np.sin(x)).sum(axis=0),
        lambda x: np.stack([x, x[::-1]], axis=-1).prod(axis=-1),
        lambda x: np.einsum("...i,...j->...ij", x, x),
        lambda x: x.ravel()[np.arange(x.size)[::-2]] ** 3,
        lambda x: np.linalg.norm(x * x + 0.1, axis=-1),
    ]
)
many = settings(max_examples=40, deadline=None)


@many
@given(f=functions, x=arrays(), data=st.data())
def test_the_pullback_is_the_transpose_of_the_pushforward(f, x, data):
    value, back = dt.pullback(f, x)
    u = data.draw(arrays(np.shape(value)))
    v = data.draw(arrays(x.shape))
    _, tangent = dt.pushforward(f, x, v)
    close(np.sum(u * tangent), np.sum(back(u) * v), 1e-11)
    assert np.shape(back(u)) == x.shape and np.shape(tangent) == np.shape(value)


@many
@given(f=functions, x=arrays())
def test_both_modes_give_the_same_jacobian(f, x):
    forward, reverse = dt.jacobian(f, x, mode="forward"), dt.jacobian(f, x, mode="reverse")
    close(forward, reverse, 1e-12)
    assert forward.shape == np.shape(f(x.copy())) + x.shape


@many
@given(f=functions, x=arrays(hnp.array_shapes(min_dims=1, max_dims=2, max_side=3)), data=st.data())
def test_hessians_are_symmetric_and_give_the_products(f, x, data):
    scalar, v = total(f), data.draw(arrays(x.shape))
    hessian = dt.hessian(scalar, x)
    square = hessian.reshape(x.size, x.size)
    assert hessian.shape == x.shape + x.shape
    close(square, square.T, 1e-11)
    product = (square @ v.ravel()).reshape(x.shape)
    close(dt.hvp(scalar, x, v), product, 1e-11)
    close(dt.pushforward(dt.gradient(scalar), x, v)[1], product, 1e-11)
    close(dt.gradient(lambda y: np.sum(dt.gradient(scalar)(y) * v), x), product, 1e-11)
    close(dt.gradient(lambda y: dt.pushforward(scalar, y, v)[1], x), product, 1e-11)


@many
@given(f=functions, x=arrays(), a=numbers, b=numbers, data=st.data())
def test_tangents_and_cotangents_are_linear(f, x, a, b, data):
    u, v = data.draw(arrays(x.shape)), data.draw(arrays(x.shape))
    push = lambda v: dt.pushforward(f, x, v)[1]
    close(push(a * u + b * v), a * push(u) + b * push(v), 1e-11)
    value, back = dt.pullback(f, x)
    p, q = weights(np.shape(value), 1), weights(np.shape(value), 2)
    close(back(a * p + b * q), a * back(p) + b * back(q), 1e-11)


@many
@given(f=functions, x=arrays())
def test_reshaping_the_input_reshapes_the_gradient(f, x):
    flat = dt.gradient(lambda v: total(f)(v.reshape(x.shape)), x.ravel())
    close(flat.reshape(x.shape), dt.gradient(total(f), x), 1e-12)


@many
@given(f=functions, x=arrays(), data=st.data())
def test_permuting_the_input_permutes_the_gradient(f, x, data):
    order = np.array(data.draw(st.permutations(range(len(x)))))
    permuted = dt.gradient(lambda y: total(f)(y[np.argsort(order)]), x[order])
    close(permuted, dt.gradient(total(f), x)[order], 1e-12)
    transposed = dt.gradient(lambda y: total(f)(y.T), x.T)
    close(transposed.T, dt.gradient(total(f), x), 1e-12)


@many
@given(f=functions, x=arrays())
def test_memory_order_changes_nothing(f, x):
    expected = dt.gradient(total(f), x)
    for same in (np.asfortranarray(x), x[::-1].copy()[::-1], np.repeat(x, 2, axis=-1)[..., ::2], x.T.copy().T):
        close(dt.gradient(total(f), same), expected, 1e-12)
        close(dt.pushforward(total(f), same, x)[1], dt.pushforward(total(f), x, same)[1], 1e-12)


@many
@given(x=arrays(), y=arrays())
def test_broadcasting_sums_the_adjoint(x, y):
    try:
        shape = np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return
    w = weights(shape)
    left, right = dt.gradient(lambda x, y: np.sum(w * x * np.sin(y)), x, y)
    full = dt.gradient(
        lambda x, y: np.sum(w * x * np.sin(y)), np.broadcast_to(x, shape).copy(), np.broadcast_to(y, shape).copy()
    )
    for found, wide, a in ((left, full[0], x), (right, full[1], y)):
        lead = tuple(range(len(shape) - a.ndim))
        kept = tuple(k + len(lead) for k, n in enumerate(a.shape) if n == 1)
        close(found, wide.sum(axis=kept, keepdims=True).sum(axis=lead), 1e-12)


@many
@given(x=arrays(), data=st.data())
def test_any_basic_index_reads_and_writes(x, data):
    index = data.draw(hnp.basic_indices(x.shape, allow_newaxis=True, allow_ellipsis=True))
    expected = np.zeros(x.shape)
    np.add.at(expected, index, 2 * x[index])
    close(dt.gradient(lambda x: np.sum(x[index] ** 2), x), expected, 1e-14)

    def f(x):
        y = x * 3.0
        y[index] = np.cos(x[index])
        return np.sum(y)

    expected = np.full(x.shape, 3.0)
    expected[index] = -np.sin(x[index])
    close(dt.gradient(f, x), expected, 1e-14)
    close(dt.pushforward(f, x, x)[1], np.sum(expected * x), 1e-13)


@many
@given(x=arrays(), data=st.data())
def test_any_advanced_index_reads_and_writes(x, data):
    index = data.draw(hnp.integer_array_indices(x.shape))
    expected = np.zeros(x.shape)
    np.add.at(expected, index, 2 * x[index])
    close(dt.gradient(lambda x: np.sum(x[index] ** 2), x), expected, 1e-13)
    mask = data.draw(hnp.arrays(bool, x.shape))

    def f(x):
        y = x * 3.0
        y[mask] = x[mask] ** 2
        return np.sum(y)

    expected = np.where(mask, 2 * x, 3.0)
    close(dt.gradient(f, x), expected, 1e-14)
    close(dt.pushforward(f, x, x)[1], np.sum(expected * x), 1e-13)
