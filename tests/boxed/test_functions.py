"""Every function on arrays of the array API standard in every mode, against differences of the plain function."""

import numpy as np
import pytest

import dualtape as dt
from boxed.cases import CASES, COMPLEX

xp = pytest.importorskip("array_api_strict")


def host(x):
    """An array as NumPy's."""
    return np.from_dlpack(x)


def weights(shape):
    return np.cos(1.0 + np.arange(np.prod(shape, dtype=int))).reshape(shape)


def scalar(call, space, args):
    """A number that depends on all results: their sum with fixed weights."""
    out = call(space, *args)
    w = weights(out.shape)
    if space.isdtype(out.dtype, "complex floating"):
        return space.sum(space.real(out * xp.asarray(w * (1.0 + 0.5j))))
    return space.sum(out * xp.asarray(w, dtype=out.dtype))


def plain_value(call, points):
    return float(scalar(call, xp, [xp.asarray(p) for p in points]))


def traced_value(call, *args):
    return scalar(call, args[0].__array_namespace__(), args)


def differences(f, points, step=1e-3):
    """The gradient of f by differences of order six; of complex points, d/dx + i d/dy."""
    out = []
    for k, p in enumerate(points):
        slope = np.zeros_like(p)
        for index in np.ndindex(p.shape):
            for unit in (1.0, 1j) if p.dtype.kind == "c" else (1.0,):
                total = 0.0
                for n, c in ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60)):
                    for sign in (1, -1):
                        moved = [q.copy() for q in points]
                        moved[k][index] += sign * n * step * unit
                        total += sign * c * f(moved)
                slope[index] += total / step * unit
        out.append(slope)
    return out


def gradient_at(call, points):
    slopes = dt.gradient(lambda *xs: traced_value(call, *xs), *map(xp.asarray, points))
    return [host(g) for g in (slopes if isinstance(slopes, tuple) else (slopes,))]


@pytest.mark.parametrize("name", CASES)
def test_reverse_and_forward(name):
    call, points = CASES[name]
    tolerance = {"rtol": 2e-4, "atol": 2e-4} if name == "astype" else {"rtol": 1e-8, "atol": 1e-8}
    exact = differences(lambda ps: plain_value(call, ps), points, 1e-1 if name == "astype" else 1e-3)
    value, slopes = dt.value_and_gradient(lambda *xs: traced_value(call, *xs), *map(xp.asarray, points))
    assert float(value) == pytest.approx(plain_value(call, points), rel=2e-14, abs=2e-14)
    for g, e, p in zip(slopes if isinstance(slopes, tuple) else (slopes,), exact, points, strict=True):
        assert type(g) is type(xp.asarray(p)) and g.shape == p.shape and g.dtype == xp.float64
        np.testing.assert_allclose(host(g), e, **tolerance)
    directions = [np.sin(2.0 + np.arange(p.size)).reshape(p.shape) for p in points]
    value, slope = dt.pushforward(
        lambda *xs: traced_value(call, *xs), tuple(map(xp.asarray, points)), tuple(map(xp.asarray, directions))
    )
    assert float(value) == pytest.approx(plain_value(call, points), rel=2e-14, abs=2e-14)
    np.testing.assert_allclose(
        float(slope), sum(np.sum(d * e) for d, e in zip(directions, exact, strict=True)), **tolerance
    )


@pytest.mark.parametrize("name", CASES)
def test_nested(name):
    call, points = CASES[name]
    if name in ("prod with zeros", "cumulative_prod with zeros"):
        points = [p + 0.0 for p in points]
    directions = [np.sin(2.0 + np.arange(p.size)).reshape(p.shape) for p in points]
    step = 1e-3
    exact = [0.0 for _ in points]
    for n, c in ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60)):
        for sign in (1, -1):
            moved = [p + sign * n * step * d for p, d in zip(points, directions, strict=True)]
            exact = [e + sign * c / step * g for e, g in zip(exact, gradient_at(call, moved), strict=True)]

    def slopes(*xs):
        out = dt.gradient(lambda *ys: traced_value(call, *ys), *xs)
        return out if isinstance(out, tuple) else (out,)

    _, forward = dt.pushforward(slopes, tuple(map(xp.asarray, points)), tuple(map(xp.asarray, directions)))

    def along(*xs):
        """The gradient's product with the directions, to be differentiated by reverse mode."""
        return sum((xp_sum(g * d) for g, d in zip(slopes(*xs), map(xp.asarray, directions), strict=True)), 0.0)

    def xp_sum(x):
        return x.sum() if hasattr(x, "sum") else xp.sum(x)

    reverse = dt.gradient(along, *map(xp.asarray, points))
    reverse = reverse if isinstance(reverse, tuple) else (reverse,)
    for f, r, e in zip(forward, reverse, exact, strict=True):
        np.testing.assert_allclose(host(f), e, rtol=2e-7, atol=2e-7)
        np.testing.assert_allclose(host(r), e, rtol=2e-7, atol=2e-7)


@pytest.mark.parametrize("name", COMPLEX)
def test_complex(name):
    call, points = COMPLEX[name]
    exact = differences(lambda ps: plain_value(call, ps), points)
    np.testing.assert_allclose(gradient_at(call, points)[0], exact[0], rtol=1e-8, atol=1e-8)
    d = np.sin(1.0 + np.arange(points[0].size)).reshape(points[0].shape) * (0.4 - 0.8j)
    _, slope = dt.pushforward(lambda x: traced_value(call, x), xp.asarray(points[0]), xp.asarray(d))
    np.testing.assert_allclose(float(slope), np.sum((np.conj(exact[0]) * d).real), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ["operators", "matmul", "sum", "sort", "vector_norm", "exp", "where", "solve"])
def test_float32(name):
    call, points = CASES[name]
    points = [p.astype(np.float32) for p in points]
    slopes = dt.gradient(lambda *xs: traced_value(call, *xs), *map(xp.asarray, points))
    for g, e in zip(
        slopes if isinstance(slopes, tuple) else (slopes,),
        gradient_at(call, [p.astype(float) for p in points]),
        strict=True,
    ):
        assert g.dtype == xp.float32
        np.testing.assert_allclose(host(g), e, rtol=2e-3, atol=2e-3)
