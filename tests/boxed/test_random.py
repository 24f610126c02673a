"""Random programs with views, assignments and levels: on arrays of the standard they mean what they mean on NumPy's."""

import random

import numpy as np
import pytest

import dualtape as dt

xp = pytest.importorskip("array_api_strict")

X = np.random.default_rng(2).uniform(-1, 1, (3, 4))
SMOOTH = (np.sin, np.cos, np.tanh, np.exp, np.square, np.negative, np.positive)
MOVING = (
    np.cumsum, np.flip, lambda a: np.roll(a, 1), np.sort, lambda a: np.max(a, axis=-1), lambda a: np.sum(a, axis=0),
    lambda a: np.concatenate([a, a * a], axis=-1)[..., : a.shape[-1]], lambda a: np.diff(a, prepend=a[..., :1]),
    lambda a: np.clip(a, -0.4, 0.3), lambda a: np.prod(a, axis=-1), lambda a: np.std(a + 0.0, axis=0),
)  # fmt: skip


def view_of(rng, a):
    """Some view, of what may be a view itself."""
    kind = rng.randrange(11)
    n = a.shape[-1] if a.ndim else 0
    if kind == 9 and a.ndim == 2:
        return np.einsum("ii->i", a[: min(a.shape), : min(a.shape)])
    if kind == 10:
        return np.expand_dims(a, 0) if a.ndim < 3 else np.moveaxis(a, 0, 2)
    if kind == 0 and a.ndim > 1:
        return a[rng.randrange(-a.shape[0], a.shape[0]), ...]
    if kind == 1:
        return a.T
    if kind == 2 and n:
        return a[..., ::-1]
    if kind == 3 and n > 2:
        return a[..., :: rng.choice([2, -2])]
    if kind == 4 and n > 1:
        return a[..., rng.randrange(n - 1) :]
    if kind == 5:
        return a.reshape(-1)
    if kind == 6 and a.size % 2 == 0:
        return np.reshape(a, (2, -1))
    if kind == 7:
        return a[None, ...] if a.ndim < 3 else a[0, ...]
    return np.swapaxes(a, 0, -1) if a.ndim else a


def value_for(rng, a, pool, constants, number):
    """Something that can be assigned to `a`, or stand beside it: an array of its shape, or that is spread to it."""
    kind = rng.randrange(7)
    if kind == 0:
        return rng.uniform(-1, 1)
    if kind == 1:
        return number
    fitting = [p for p in pool if p.shape == a.shape]
    if kind <= 3 and fitting:
        return rng.choice(fitting)
    if a.ndim and kind == 4:
        rows = [p for p in pool if p.shape == a.shape[-1:]]
        if rows:
            return rng.choice(rows)
    if kind == 5:
        fitting = [c for c in constants if c.shape == a.shape]
        if fitting:
            return rng.choice(fitting)
    return np.sin(a)


def step(rng, pool, constants, number):
    a = rng.choice(pool)
    kind = rng.randrange(14)
    if not a.ndim and 5 <= kind <= 8:  # sums are immutable numbers in NumPy, and arrays without axes in the standard
        kind = 3
    if kind <= 2:
        pool.append(view_of(rng, a))
    elif kind == 3:
        pool.append(rng.choice(SMOOTH)(a) * 0.5)
    elif kind == 4:
        pool.append(a * value_for(rng, a, pool, constants, number))
    elif kind == 5:
        a += value_for(rng, a, pool, constants, number)
    elif kind == 6:
        a *= value_for(rng, a, pool, constants, number)
    elif kind == 7:
        a -= 0.3 * a.T if a.T.shape == a.shape else 0.25
    elif kind == 8:
        part = view_of(rng, a)
        part[...] = value_for(rng, part, pool, constants, number)
    elif kind == 9 and a.ndim and a.shape[-1] > 1:
        a[..., 1:] = a[..., :-1]
    elif kind == 10 and a.ndim:
        a[a > 0.5] = rng.uniform(-0.5, 0.5)
    elif kind == 12 and a.ndim:
        pool.append(rng.choice(MOVING)(a))
    elif kind == 13 and a.ndim == 2:
        pool.append(np.matmul(a, a.T) * 0.5)
    elif kind == 11:
        pool.append(np.where(a > 0.1, a, value_for(rng, a, pool, constants, number)))
    if rng.random() < 0.3 and constants:  # constants count as they were
        rng.choice(constants)[...] = rng.uniform(-1, 1)


def program(seed, space, inner=True):
    def f(x, t):
        rng = random.Random(seed)
        constants = [space.asarray(np.full(shape, 0.4)) for shape in ((3, 4), (4,), (3,))]
        pool = [x * 1.0, np.zeros_like(x), x]
        number = 0.7 * t
        for _ in range(10):
            step(rng, pool, constants, number)
        if inner and rng.random() < 0.4:  # a differentiation inside, of an array that is traced outside
            y = rng.choice(pool)
            pool.append(dt.gradient(lambda z: np.sum(np.sin(z * y) * z))(np.cos(y)))
        total = 0.0
        for k, p in enumerate(pool):
            weights = space.asarray(np.cos(k + np.arange(p.size)).reshape(p.shape))
            total = total + np.sum(np.tanh(p) * weights)
        return total

    return f


def host(x):
    return x if isinstance(x, (float, np.ndarray)) else np.from_dlpack(x)


@pytest.mark.parametrize("seed", range(100))
def test_random_program(seed):
    ours, theirs = program(seed, xp), program(seed, np)
    x, t = xp.asarray(X), 0.8
    value, slopes = dt.value_and_gradient(ours, x, t)
    exact, expected = dt.value_and_gradient(theirs, X, t)
    plain = theirs(X.copy(), t)
    assert float(value) == pytest.approx(float(plain), rel=1e-12)
    assert float(exact) == pytest.approx(float(plain), rel=1e-12)
    scale = 1e-11 * max(1.0, np.abs(expected[0]).max(), abs(expected[1]))
    for s, e in zip(slopes, expected, strict=True):
        np.testing.assert_allclose(host(s), e, rtol=1e-10, atol=scale)
    d = np.sin(np.arange(12.0)).reshape(3, 4)
    along = np.sum(expected[0] * d) - 0.3 * expected[1]
    _, slope = dt.pushforward(ours, (x, t), (xp.asarray(d), -0.3))
    assert float(slope) == pytest.approx(along, rel=1e-9, abs=1e3 * scale)
    np.testing.assert_array_equal(host(x), X)
    if seed % 3:
        return

    def at(f):
        return lambda x: f(x, t)

    curved, smooth = host(dt.hvp(at(ours), x, xp.asarray(d))), dt.hvp(at(theirs), X, d)
    np.testing.assert_allclose(curved, smooth, rtol=1e-8, atol=1e-9 * max(1.0, np.abs(smooth).max()))
