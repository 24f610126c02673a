"""Arrays on a GPU: the functions and programs of the tests on the host, streams, transfers, kernels."""

import numpy as np
import pytest

import dualtape as dt
from boxed.cases import CASES, COMPLEX
from dualtape.boxed.backends import adjoint_kernel
from dualtape.core import kernels
from dualtape.rules.emit_cuda import adjoint_names
from dualtape.rules.table import BY_NAME, INDEX

cp = pytest.importorskip("cupy")
strict = pytest.importorskip("array_api_strict")


def total(call, space, args):
    out = call(space, *args)
    w = np.cos(1.0 + np.arange(int(np.prod(out.shape)))).reshape(out.shape)
    own = np.asarray(w) if space is np else (cp if isinstance(dt.stop_gradient(out), cp.ndarray) else strict).asarray(w)
    if np.dtype(str(dt.stop_gradient(out).dtype).rpartition(".")[2]).kind == "c":
        return (out.real * own + out.imag * (0.5 * own)).sum()
    return (out * own).sum()


def traced(call):
    return lambda *xs: total(call, xs[0].__array_namespace__(), xs)


@pytest.mark.parametrize("name", [*CASES, *(f"complex {name}" for name in COMPLEX)])
def test_functions_agree_with_those_on_the_host(name):
    call, points = COMPLEX[name[8:]] if name.startswith("complex ") else CASES[name]
    on_host = dt.gradient(traced(call), *map(strict.asarray, points))
    on_device = dt.gradient(traced(call), *map(cp.asarray, points))
    for h, d in zip(*(g if isinstance(g, tuple) else (g,) for g in (on_host, on_device)), strict=True):
        assert isinstance(d, cp.ndarray)
        np.testing.assert_allclose(cp.asnumpy(d), np.from_dlpack(h), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(("name", "k"), adjoint_names())
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kernels(name, k, dtype):
    rule = BY_NAME[name]
    rng = np.random.default_rng(3)
    args = [rng.uniform(low, high, 300).astype(dtype).astype(float) for low, high in rule.domain]
    for j, text in enumerate(rule.partials):
        if text is None:
            args[j] = np.floor(args[j])
    out = kernels.on_arrays(INDEX[name], -1, *args)
    exact = kernels.on_arrays(INDEX[name], k, *args, out=out)
    values = [cp.asarray(a, dtype=dtype) for a in (np.ones(300), *args, out)]
    result = cp.asnumpy(adjoint_kernel(name, k)(*values))
    tolerance = 1e-10 if dtype == "float64" else 2e-3
    np.testing.assert_allclose(result, exact, rtol=tolerance, atol=tolerance * np.abs(exact).max())


def test_numbers_stay_on_the_device():
    x = cp.asarray(np.random.default_rng(0).normal(size=(40, 40)))

    def f(x):
        y = cp.tanh(x @ x.T) + cp.exp(-x * x)
        y[0, :] = cp.sin(x[1, :])
        return (y / (1.0 + cp.abs(y))).sum()

    expected = cp.asnumpy(dt.gradient(f)(x))

    with pytest.importorskip("cupyx").allow_synchronize(False):  # a copy to the host raises
        slope = dt.gradient(f)(x)
    np.testing.assert_allclose(cp.asnumpy(slope), expected)


def test_streams_are_kept():
    x = cp.asarray(np.random.default_rng(0).normal(size=(500, 500)))
    stream = cp.cuda.Stream(non_blocking=True)
    seen = []

    def f(x):
        y = cp.sin(x)
        stream.wait_event(cp.cuda.get_current_stream().record())
        with stream:
            seen.append(cp.cuda.get_current_stream())
            z = y @ y
        cp.cuda.get_current_stream().wait_event(stream.record())
        return z.sum()

    slope = dt.gradient(f)(x)
    host = dt.gradient(lambda x: (np.sin(x) @ np.sin(x)).sum())(cp.asnumpy(x))
    np.testing.assert_allclose(cp.asnumpy(slope), host, rtol=1e-9)
    assert seen == [stream]


def test_front_and_linear_algebra():
    import dualtape.cupy as front

    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(30, 30)) + 8 * np.eye(30), rng.normal(size=(30, 2))

    def f(space):
        return lambda a, b: (
            (space.linalg.solve(a @ a.T, b) ** 2).sum() + space.linalg.norm(space.linalg.cholesky(a @ a.T))
        )

    on_device = dt.gradient(f(front), cp.asarray(a), cp.asarray(b))
    for d, h in zip(on_device, dt.gradient(f(np), a, b), strict=True):
        np.testing.assert_allclose(cp.asnumpy(d), h, rtol=1e-8, atol=1e-10)


def test_constants_on_the_left_and_cupys_own_functions():
    c, x = cp.asarray([1.0, 2.0, 3.0]), cp.asarray([0.3, 0.8, 0.5])

    def f(x):
        y = c * x + (c - x) / (c + x) + c**x + cp.where(c < x, x, x * x)
        return y.sum() + cp.max(y) + cp.mean(y) + c @ x + cp.sum(cp.clip(x, 0.4, 0.7))

    def host(x):
        c = np.array([1.0, 2.0, 3.0])
        y = c * x + (c - x) / (c + x) + c**x + np.where(c < x, x, x * x)
        return y.sum() + np.max(y) + np.mean(y) + c @ x + np.sum(np.clip(x, 0.4, 0.7))

    np.testing.assert_allclose(cp.asnumpy(dt.gradient(f)(x)), dt.gradient(host)(cp.asnumpy(x)), rtol=1e-12)


def test_plain_arrays_take_no_traced_values():
    x = cp.ones(3)
    writes = [
        lambda c, x: c.__setitem__(..., x), lambda c, x: c.__setitem__(cp.asarray([0, 2, 1]), x),
        lambda c, x: c.__iadd__(x), lambda c, x: cp.copyto(c, x), lambda c, x: cp.add(x, x, out=c),
        lambda c, x: c.fill(x[0]), lambda c, x: cp.asarray(x), lambda c, x: cp.asarray([x[0], x[1]]),
    ]  # fmt: skip
    for write in writes:
        with pytest.raises((TypeError, ValueError)):
            dt.gradient(lambda x, write=write: (write(cp.zeros(3), x), x.sum())[1])(x)


def test_host_and_device_do_not_mix():
    x = cp.ones(3)
    with pytest.raises(TypeError, match="asarray"):
        dt.gradient(lambda x: (x * np.ones(3)).sum())(x)
    with pytest.raises(TypeError, match="asarray"):
        dt.gradient(lambda y: (x * y).sum())(np.ones(3))
