"""The functions on arrays of libraries other than array_api_strict, where they are installed."""

import numpy as np
import pytest

import dualtape as dt
from boxed.cases import CASES, COMPLEX

strict = pytest.importorskip("array_api_strict")


@pytest.fixture(scope="module")
def jax_numpy():
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield jax.numpy
    jax.config.update("jax_enable_x64", before)


def total(call, space, args):
    """A number that depends on all results."""
    own = args[0].__array_namespace__()
    out = call(own, *args)
    weights = space.asarray(np.cos(1.0 + np.arange(out.size)).reshape(out.shape))
    if own.isdtype(out.dtype, "complex floating"):
        return own.sum(out.real * weights + 0.5 * out.imag * weights)
    return own.sum(out * own.astype(weights, out.dtype))


@pytest.mark.parametrize("name", [*CASES, *(f"complex {name}" for name in COMPLEX)])
def test_jax(jax_numpy, name):
    call, points = COMPLEX[name[8:]] if name.startswith("complex ") else CASES[name]
    slopes = []
    for space in (jax_numpy, strict):
        found = dt.gradient(lambda *xs, space=space: total(call, space, xs), *map(space.asarray, points))
        slopes.append(found if isinstance(found, tuple) else (found,))
    for ours, expected in zip(*slopes, strict=True):
        assert type(ours) is type(jax_numpy.asarray(1.0))
        np.testing.assert_allclose(np.asarray(ours), np.from_dlpack(expected), rtol=1e-8, atol=1e-9)
