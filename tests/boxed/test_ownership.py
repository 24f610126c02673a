"""What programs write to after a traced array has read it, and what they were handed out, is not the recording's."""

import numpy as np
import pytest

import dualtape as dt

xp = pytest.importorskip("array_api_strict")

X = np.array([1.0, 2.0, 3.0])


def host(x):
    return np.from_dlpack(x)


def chosen(x, space):
    mask = space.asarray(np.array([True, False, True]))
    out = np.where(mask, x * x, 3.0 * x)
    mask[...] = False
    return out.sum()


def masked(x, space):
    mask = space.asarray(np.array([True, False, True]))
    out = x[mask].sum()
    mask[...] = False
    return out


def indexed(x, space):
    places = space.asarray(np.array([0, 2, 2]))
    out = x[places].sum() * np.take(x, places).sum()
    places[...] = 1
    return out


def assigned(x, space):
    mask, value = space.asarray(np.array([True, False, True])), space.asarray(np.array([5.0, 6.0]))
    y = x * x
    y[mask] = value
    mask[...] = False
    value[...] = 0.0
    return (y * y).sum()


def constants(x, space):
    c = space.asarray(np.array([5.0, 6.0, 7.0]))
    out = (x * c).sum() + (c**x).sum() + np.maximum(x, c).sum() + np.matmul(c, x) + np.clip(x, None, c).sum()
    c[...] = 0.0
    return out


def stopped(x, space):
    y = np.exp(x)
    c = dt.stop_gradient(y)
    c[...] = 0.0
    return (y * y).sum()


def conjugates_are_copies(x, space):
    y = x * 1.0
    z = np.conj(y)
    z[0] = 9.0
    return (y * y * z).sum()


def spread_arrays_are_views(x, space):
    y = x * 1.0
    z = np.broadcast_to(y, (2, 3))
    y[0] = x[1] ** 2
    return (z * z).sum()


def deep_views(x, space):
    y = base = x * 1.0
    for _ in range(2000):
        y = y[0:]
    y *= x
    return (y * base).sum()


def diagonals_by_einsum(x, space):
    y = x[None, ...] * x[:, None]
    diagonal = np.einsum("ii->i", y)
    diagonal *= x
    np.einsum("iji->ij", y[:, None, ...] * 1.0)[...] = 0.0
    np.einsum("ij->ji", y)[0, 1] = x[2] * 5.0
    return (y * y * space.asarray(np.arange(9.0).reshape(3, 3))).sum()


def in_place(x, space):
    y = z = x * 3.0 + 0.5
    y %= 2.0
    y //= 0.1
    y += x
    return (y * z).sum()


def outer_value_in_inner_array(x, space):
    def inner(y):
        z = y * 1.0
        z[0] = x[1]
        return (z * z * x * y).sum()

    return (dt.gradient(inner)(x) * x).sum()


def inner_value_in_outer_array(x, space):
    z = x * 1.0

    def inner(y):
        z[0] = y[1] * y[0]
        return (z * y).sum()

    return (dt.gradient(inner)(x) * x).sum()


PROGRAMS = [
    chosen, masked, indexed, assigned, constants, stopped, conjugates_are_copies, spread_arrays_are_views,
    diagonals_by_einsum, deep_views, in_place, outer_value_in_inner_array, inner_value_in_outer_array,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_mean_what_they_mean_in_numpy(program):
    value, slope = dt.value_and_gradient(lambda x: program(x, xp), xp.asarray(X))
    exact, expected = dt.value_and_gradient(lambda x: program(x, np), X)
    assert float(value) == pytest.approx(float(exact), rel=1e-14)
    np.testing.assert_allclose(host(slope), expected, rtol=1e-12)
    _, along = dt.pushforward(lambda x: program(x, xp), xp.asarray(X), xp.asarray([1.0, -2.0, 0.5]))
    assert float(along) == pytest.approx(expected @ [1.0, -2.0, 0.5], rel=1e-12)


def test_parts_of_complex_arrays_are_views():
    def f(z):
        y = z * 1.0
        real, imag = y.real, np.imag(y)
        real[0] = imag[1] ** 2
        imag *= 3.0
        return (y * y).real.sum() + y.imag.sum()

    z = np.array([1 + 2j, 0.5 - 1j])
    np.testing.assert_allclose(host(dt.gradient(f)(xp.asarray(z))), dt.gradient(f)(z), rtol=1e-13)


def test_derivatives_are_arrays_of_their_own():
    x = xp.asarray(X)
    first, second = dt.gradient(lambda x, y: (x + y).sum(), x, x)
    first *= 5.0
    first[0] = 7.0
    assert host(first).tolist() == [7.0, 5.0, 5.0] and host(second).tolist() == [1.0, 1.0, 1.0]
    cotangent = xp.asarray([1.0, 1.0, 1.0])
    value, back = dt.pullback(lambda x: x.__array_namespace__().exp(x), x)
    value *= 0.0
    slope = back(cotangent)
    slope *= 0.0
    np.testing.assert_allclose(host(back(cotangent)), np.exp(X))
    direction = xp.asarray([1.0, 1.0, 1.0])
    value, slope = dt.pushforward(lambda x: x, x, direction)
    value *= 0.0
    slope *= 0.0
    assert host(x).tolist() == X.tolist() and host(direction).tolist() == [1.0, 1.0, 1.0]
    slope = dt.pullback(lambda x: x, x)[1](cotangent)
    slope *= 0.0
    assert host(cotangent).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "write",
    [
        lambda x: np.broadcast_to(x, (2, 3)).__setitem__((0, 0), 1.0),
        lambda x: np.broadcast_to(x, (2, 3)).__imul__(2.0),
        lambda x: np.diagonal(x.__array_namespace__().reshape(x, (1, 3))).__setitem__(0, 1.0),
    ],
)
def test_views_that_repeat_elements_take_no_values(write):
    with pytest.raises(ValueError, match="read-only"):
        dt.gradient(lambda x: (write(x), x.sum())[1])(xp.asarray(X))


def test_sequences_become_arrays():
    def f(x):
        n = x.__array_namespace__()
        return (n.asarray([x[0] * x[1], [x[2]][0]]) * n.asarray([[1.0, 2.0], [3.0, 4.0]])).sum()

    np.testing.assert_allclose(host(dt.gradient(f)(xp.asarray(X))), [8.0, 4.0, 6.0])
