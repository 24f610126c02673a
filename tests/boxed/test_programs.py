"""Programs on arrays of other libraries: views and assignments, structures, levels, mixing with numbers, errors."""

import gc

import numpy as np
import pytest

import dualtape as dt
from dualtape.boxed import backends
from dualtape.core.levels import count_live_levels

xp = pytest.importorskip("array_api_strict")


def host(x):
    return np.from_dlpack(x)


X = np.array([[0.5, -1.2, 0.3], [1.1, 0.7, -0.4]])


def assign_elements(x):
    y = x * 1.0
    y[0, 1] = x[1, 2] ** 2
    y[1, :] = y[0, :] * 3.0
    return y


def write_through_rows(x):
    y = x * x
    row = y[0, :]
    row *= x[1, :]
    row[1] = 2.0
    return y


def write_through_transposed(x):
    y = x * 2.0
    t = y.T
    t[0, :] += x[:, 1]
    flat = y.reshape(-1)
    flat[5] = flat[0] * flat[1]
    return y + 0.0 * t.T


def overlapping(x):
    y = x * 1.0
    y[:, 1:] += y[:, :-1]
    y[0, ::-1] = y[0, :]
    return y


def loop(x):
    y = x * 1.0
    for k in range(4):
        y[k % 2, k % 3] = y[k % 2, (k + 1) % 3] * y[0, 0] + k
        view = y[:, k % 3]
        view -= 0.1 * view * view
    return y


def view_after_write(x):
    y = x * 1.0
    view = y[1, :]
    y[1, 2] = x[0, 0]
    old = view * 1.0
    y[...] = 2.0 * y
    return y * view + old


def masked(x):
    y = x * x
    y[x < 0.4] = 0.5
    return y * x


def into_zeros(x):
    y = x.__array_namespace__().zeros_like(x)
    y[0, 0] = x[0, 1] * x[1, 1]
    y[1, :] = x[0, :]
    return y * x


PROGRAMS = [
    assign_elements, write_through_rows, write_through_transposed, overlapping, loop, view_after_write, masked,
    into_zeros,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_views_and_assignments_mean_what_they_mean_in_numpy(program):
    w = np.cos(np.arange(6)).reshape(2, 3)

    def f(x):
        return (program(x) * xp.asarray(w)).sum()

    def plain(x):
        return float((program(x) * w).sum())

    value, slope = dt.value_and_gradient(f, xp.asarray(X))
    exact = dt.gradient(lambda x: (program(x) * w).sum(), X)
    step = 1e-6
    for index in np.ndindex(X.shape):
        d = np.zeros_like(X)
        d[index] = step
        assert host(slope)[index] == pytest.approx((plain(X + d) - plain(X - d)) / (2 * step), rel=1e-6, abs=1e-8)
    assert float(value) == pytest.approx(plain(X), rel=1e-14)
    np.testing.assert_allclose(host(slope), exact, rtol=1e-13, atol=1e-14)
    _, along = dt.pushforward(f, xp.asarray(X), xp.asarray(w))
    assert float(along) == pytest.approx(np.sum(exact * w), rel=1e-13)
    np.testing.assert_allclose(
        host(dt.hessian(f)(xp.asarray(X))), dt.hessian(lambda x: (program(x) * w).sum())(X), rtol=1e-12, atol=1e-13
    )


def test_the_arguments_are_not_modified():
    x = xp.asarray(X)

    def f(x):
        x[0, 0] = 7.0
        x *= 2.0
        return x.sum()

    assert host(dt.gradient(f)(x)).tolist() == [[0, 2, 2], [2, 2, 2]]
    np.testing.assert_array_equal(host(x), X)


def test_constants_keep_the_values_that_they_had():
    c = xp.asarray(X.copy())

    def f(x):
        nonlocal c
        out = (x * c).sum()
        c *= 0.0
        return out

    np.testing.assert_array_equal(host(dt.gradient(f)(xp.asarray(X))), X)


def test_repeated_integer_indices():
    x = xp.asarray([1.0, 2.0, 3.0])
    index = xp.asarray([0, 2, 0])

    def f(x):
        return (x[index] * x[index]).sum() + (x[index] * xp.asarray([5.0, 7.0, 9.0])).sum()

    def plain(x):
        return (x[[0, 2, 0]] ** 2).sum() + (x[[0, 2, 0]] * [5.0, 7.0, 9.0]).sum()

    np.testing.assert_allclose(host(dt.gradient(f)(x)), dt.gradient(plain)(np.array([1.0, 2.0, 3.0])))


def test_structures_and_operators():
    a, b = xp.asarray([1.0, 2.0]), xp.asarray([[0.5, -1.0], [2.0, 3.0]])

    def f(p):
        return (p["b"] @ p["a"]).sum() * p["c"]

    slopes = dt.gradient(f)({"a": a, "b": b, "c": 3.0, "name": "model"})
    assert host(slopes["a"]).tolist() == [7.5, 6.0]
    assert slopes["c"] == 6.5 and slopes["name"] is None
    value, back = dt.pullback(lambda a, b: (b @ a, a.sum()), a, b)
    one, two = back((xp.asarray([1.0, 0.0]), xp.asarray(2.0)))
    assert host(one).tolist() == [2.5, 1.0] and host(two).tolist() == [[1, 2], [0, 0]]
    assert host(back((xp.asarray([0.0, 1.0]), xp.asarray(0.0)))[0]).tolist() == [2.0, 3.0]
    jacobian = dt.jacobian(lambda p: {"y": p["b"] @ p["a"]})({"a": a, "b": b})
    assert jacobian["y"]["b"].shape == (2, 2, 2) and host(jacobian["y"]["a"]).tolist() == host(b).tolist()
    for mode in ("forward", "reverse"):
        np.testing.assert_array_equal(host(dt.jacobian(lambda a: b @ a, mode=mode)(a)), host(b))
    np.testing.assert_allclose(host(dt.hvp(lambda a: (a * a * a).sum(), a, xp.asarray([1.0, 10.0]))), [6.0, 120.0])
    (value, aux), _ = dt.value_and_gradient(lambda a: ((a * a).sum(), {"twice": 2 * a}), a, has_aux=True)
    assert host(aux["twice"]).tolist() == [2, 4] and float(value) == 5.0
    assert dt.jacobian(lambda z: z * z)(xp.asarray([1 + 2j]))[0, 0] == 2 + 4j


def test_levels():
    x = xp.asarray([0.3, 0.8])
    assert dt.derivative(dt.derivative(dt.derivative(lambda t: (t**4 * x).sum().item())))(2.0) == pytest.approx(52.8)
    mixed = dt.gradient(lambda x: dt.gradient(lambda y: (x * y * y).sum())(x).sum())(x)
    np.testing.assert_allclose(host(mixed), [1.2, 3.2])
    confused = dt.derivative(lambda t: t * dt.derivative(lambda s: ((t + s) * x).sum().item())(1.0))(1.0)
    assert confused == pytest.approx(1.1)
    cube = dt.jacobian(dt.jacobian(dt.gradient(lambda x: (x**4).sum())))(x)
    np.testing.assert_allclose(host(cube)[1, 1, 1], 24 * 0.8)
    assert count_live_levels() == 0


def test_numbers_of_the_host_beside_arrays():
    x = xp.asarray([0.3, 0.8], dtype=xp.float32)

    def f(t, x):
        y = t * x + x / t - t
        assert y.dtype == xp.float32
        return (y * y).sum()

    slope, _ = dt.gradient(f)(1.5, x)
    step = 1e-6
    wide = xp.astype(x, xp.float64)

    def plain(t):
        y = t * host(wide) + host(wide) / t - t
        return float((y * y).sum())

    assert slope == pytest.approx((plain(1.5 + step) - plain(1.5 - step)) / (2 * step), rel=1e-4)
    assert type(slope) is float
    # NaN * 0 counts as 0 where a factor is exactly zero
    y = xp.asarray([0.0, 1.0])
    assert host(dt.gradient(lambda y: xp_where(y).sum())(y)).tolist() == [0.0, 0.5]


def xp_where(y):
    return y.__array_namespace__().where(y > 0.0, y.__array_namespace__().sqrt(y), 0.0)


@pytest.mark.parametrize(
    ("f", "kind", "text"),
    [
        (lambda x: xp.sum(x), dt.DualtapeError, "__array_namespace__"),
        (lambda x: np.asarray(x).sum(), TypeError, "stop_gradient"),
        (lambda x: (x * np.ones(2)).sum(), TypeError, "asarray"),
        (lambda x: (np.ones(2) * x).sum(), TypeError, "asarray"),
        (lambda x: x[np.array([0, 1])].sum(), TypeError, "asarray"),
        (lambda x: float(x[0]), TypeError, "item"),
        (lambda x: x, TypeError, "one real number"),
        (lambda x: hash(x), TypeError, "unhashable"),
        (lambda x: x.__array_namespace__().linalg.svd(x[:, None]).S.sum(), TypeError, "full_matrices"),
        (lambda x: x[x[0]], IndexError, "index"),
        (lambda x: x.nothing, AttributeError, "nothing"),
        (lambda x: np.partition(x, 1), TypeError, "partition has no derivative rule"),
        (lambda x: x.__array_namespace__().reshape(x, (3,)).sum(), ValueError, "reshape"),
        (lambda x: x.item(), ValueError, "size 1"),
        (lambda x: xp.asarray([0.0]).__setitem__(0, x[0]), TypeError, "."),
        (lambda x: np.zeros(2).__setitem__(0, x[0]), (TypeError, ValueError), "."),
    ],
)
def test_errors(f, kind, text):
    with pytest.raises(kind, match=text):
        dt.gradient(f)(xp.asarray([1.0, 2.0]))
    assert count_live_levels() == 0


def test_bad_arguments():
    with pytest.raises(TypeError, match="booleans"):
        dt.gradient(lambda x: x.sum())(xp.asarray([True]))
    assert dt.gradient(lambda x: (x * x).sum())(xp.asarray([1, 2])).dtype == xp.float64
    with pytest.raises(TypeError, match="complex"):
        dt.gradient(lambda z: (z * z).sum())(xp.asarray([1 + 2j]))


def test_escaped_values():
    kept = []
    x = xp.asarray([1.0, 2.0])
    dt.gradient(lambda x: (kept.append(x * x), x.sum())[1])(x)
    with pytest.raises(dt.DualtapeError, match="ended"):
        (kept[0] * 2.0).sum()
    dt.pushforward(lambda x: (kept.append(x * x), x.sum())[1], x, x)
    assert host(dt.stop_gradient(kept[1])).tolist() == [1.0, 4.0]
    np.testing.assert_array_equal(host(dt.gradient(lambda x: (x * kept[1]).sum())(x)), [1.0, 4.0])


def test_a_gradient_leaves_nothing_behind():
    x = xp.asarray(X)

    def f(x):
        y = x * x
        y[0, :] = x[1, :]
        return (y @ y.T).sum()

    def count():
        gc.collect()
        return sum(type(o).__name__ == "BoxedArray" for o in gc.get_objects())

    dt.hessian(f)(x)
    before = count()
    for _ in range(3):
        dt.gradient(f)(x)
        dt.hessian(f)(x)
        with pytest.raises(ZeroDivisionError):
            dt.gradient(lambda x: (x * x).sum() / 0 if False else 1 / 0)(x)
    assert count() == before


def test_nothing_goes_through_the_host(monkeypatch):
    kind = type(xp.asarray(1.0))

    def refuse(self, *args, **options):
        raise AssertionError("elements were copied to the host")

    def f(x):
        n = x.__array_namespace__()
        y = n.exp(n.sin(x)) @ x.T + n.where(x[:, :2] > 0.0, x[:, 1:], 2.0)
        y[0, 0] = x[0, 1]
        z = n.linalg.solve(y + 5.0 * n.eye(2), y) + n.linalg.inv(y + 3.0 * n.eye(2))
        return n.sum(z) + n.max(x) + n.prod(x) + n.std(x) + n.linalg.vector_norm(n.cumulative_sum(x, axis=0))

    expected = host(dt.gradient(f)(xp.asarray(X)))
    for name in (
        "__float__",
        "__bool__",
        "__int__",
        "__complex__",
        "__array__",
        "__dlpack__",
        "__buffer__",
        "__iter__",
    ):
        monkeypatch.setattr(kind, name, refuse, raising=False)
    monkeypatch.setattr(backends.Backend, "shares_memory", lambda self, x, y: True)  # reads addresses alone
    slope = dt.gradient(f)(xp.asarray(X.tolist()))
    dt.hvp(f, xp.asarray(X.tolist()), xp.asarray(X.tolist()))
    monkeypatch.undo()
    np.testing.assert_array_equal(host(slope), expected)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]), ("ij,jk,kl->li", [(2, 3), (3, 4), (4, 2)]),
        ("bij,bjk->bik", [(2, 3, 2), (2, 2, 3)]),
        ("ii->i", [(3, 3)]), ("ii", [(3, 3)]), ("ij->", [(2, 3)]), ("i,j", [(2,), (3,)]),
        ("ij,ij->j", [(2, 3), (2, 3)]), ("...ij,...j->...i", [(2, 2, 3), (3,)]),
        ("ab,cd,a->cb", [(2, 3), (2, 2), (2,)]), ("ijk->kji", [(2, 3, 2)]),
    ],
)  # fmt: skip
def test_einsum(text, shapes):
    rng = np.random.default_rng(5)
    points = [rng.normal(size=s) for s in shapes]
    slopes = dt.gradient(lambda *xs: (np.einsum(text, *xs) ** 3).sum(), *map(xp.asarray, points))
    exact = dt.gradient(lambda *xs: (np.einsum(text, *xs) ** 3).sum(), *points)
    pairs = zip(slopes, exact, strict=True) if isinstance(exact, tuple) else [(slopes, exact)]
    for s, e in pairs:
        np.testing.assert_allclose(host(s), e, rtol=1e-12, atol=1e-12)


def test_namespaces_of_plain_and_traced_arrays_together():
    compat = pytest.importorskip("array_api_compat")
    c = xp.asarray([3.0, 4.0])

    def f(x):
        n = compat.array_namespace(x, c)
        first, second = n.meshgrid(x, c)
        assert compat.device(x) == c.device and compat.size(x) == 2
        return n.sum(first * second * np.float64(2.0) + np.float64(3.0) * first) + compat.to_device(x, x.device).sum()

    np.testing.assert_allclose(host(dt.gradient(f)(c)), [21.0, 21.0])


def test_cupys_ufuncs_let_traced_values_through():
    cupy = pytest.importorskip("cupy")
    assert backends.is_foreign_type(cupy.ndarray)
    x = xp.asarray([0.3, 0.8])
    np.testing.assert_allclose(
        host(dt.gradient(lambda x: cupy.sum(cupy.sin(x) * x))(x)), np.sin([0.3, 0.8]) + [0.3, 0.8] * np.cos([0.3, 0.8])
    )
    assert dt.gradient(lambda t: cupy.multiply(x, t).sum())(2.0) == pytest.approx(1.1)
    import dualtape.cupy as cp

    np.testing.assert_allclose(host(dt.gradient(lambda x: cp.linalg.norm(x) ** 2)(x)), [0.6, 1.6])
    with pytest.raises(TypeError, match="asarray"):
        dt.gradient(lambda y: cupy.add(x, y).sum())(np.ones(2))
    with pytest.raises(dt.NoRuleError, match="gcd"):
        dt.gradient(lambda x: cupy.gcd(x, x))(x)


def test_printing():
    seen = []

    def f(x):
        seen.extend([repr(x), str(x), f"{x[0]:.2f}", x.shape, x.ndim, x.size, x.dtype, len(x), len(list(x))])
        return x.sum()

    x = xp.asarray([1.0, 2.0])
    dt.gradient(f)(x)
    assert seen == ["BoxedArray(" + repr(x) + ")", str(x), "1.00", (2,), 1, 2, xp.float64, 2, 2]


def test_the_functions_of_this_library_take_them():
    x = xp.asarray([0.3, 0.8])
    for f, df in [(dt.sin, dt.cos), (dt.exp, dt.exp), (dt.erf, None), (dt.lgamma, dt.digamma)]:
        slope = dt.gradient(lambda x, f=f: f(x).sum())(x)
        exact = [dt.derivative(f)(t) if df is None else df(t) for t in (0.3, 0.8)]
        np.testing.assert_allclose(host(slope), exact, rtol=1e-13)
    np.testing.assert_allclose(host(dt.gradient(lambda x: dt.where(x > 0.5, x * x, x).sum())(x)), [1.0, 1.6])
    np.testing.assert_allclose(
        host(dt.gradient(lambda x: np.sum(np.tanh(x) * np.hypot(x, 1.0)))(x)),
        dt.gradient(lambda x: np.sum(np.tanh(x) * np.hypot(x, 1.0)))(np.array([0.3, 0.8])),
    )
    assert dt.gradient(lambda t: dt.sin(t * x).sum())(1.0) == pytest.approx(0.3 * np.cos(0.3) + 0.8 * np.cos(0.8))
