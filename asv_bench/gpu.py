"""Derivatives on a GPU against CuPy alone: `python asv_bench/gpu.py`.

Prints the gradient of a network 784-512-512-10 over one that is written by hand, the time that a small operation takes
to be recorded and swept, and gradients through solvers over the solvers themselves. `--space numpy` or
`--space array_api_strict` runs the same on the host, to see that it runs.
"""

import argparse
import importlib
import time

import numpy as np

import dualtape as dt


def best(function, synchronize, rounds=20):
    """The shortest time of some calls, in seconds, after two that warm up."""
    times = []
    for k in range(rounds + 2):
        synchronize()
        start = time.perf_counter()
        function()
        synchronize()
        if k > 1:
            times.append(time.perf_counter() - start)
    return min(times)


def network(xp, rng, batch=256, sizes=(784, 512, 512, 10)):
    """Weights, biases, inputs and labels."""
    dtype = xp.float32
    layers = [
        (xp.asarray(rng.normal(size=(m, n)) / m**0.5, dtype=dtype), xp.zeros(n, dtype=dtype))
        for m, n in zip(sizes, sizes[1:], strict=False)
    ]
    x = xp.asarray(rng.normal(size=(batch, sizes[0])), dtype=dtype)
    labels = np.zeros((batch, sizes[-1]))
    labels[np.arange(batch), rng.integers(sizes[-1], size=batch)] = 1.0
    return layers, x, xp.asarray(labels, dtype=dtype)


def loss(layers, x, labels, space):
    """Cross entropy of a network with tanh."""
    for w, b in layers[:-1]:
        x = space.tanh(x @ w + b)
    w, b = layers[-1]
    z = x @ w + b
    z = z - space.max(z, axis=1, keepdims=True)
    return space.sum(space.log(space.sum(space.exp(z), axis=1)) - space.sum(z * labels, axis=1)) / x.shape[0]


def by_hand(layers, x, labels, xp):
    """The gradient of the same, written out."""
    kept = [x]
    for w, b in layers[:-1]:
        kept.append(xp.tanh(kept[-1] @ w + b))
    w, b = layers[-1]
    z = kept[-1] @ w + b
    e = xp.exp(z - xp.max(z, axis=1, keepdims=True))
    bar = (e / xp.sum(e, axis=1, keepdims=True) - labels) / x.shape[0]
    slopes = []
    for (w, _), h in zip(reversed(layers), reversed(kept), strict=True):
        slopes.append((h.T @ bar, xp.sum(bar, axis=0)))
        if len(slopes) < len(layers):
            bar = (bar @ w.T) * (1.0 - h * h)
    return slopes[::-1]


def chain(x, n):
    for _ in range(n):
        x = x * 1.0001
    return x


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="cupy", choices=["cupy", "numpy", "array_api_strict"])
    parser.add_argument("--size", type=int, default=4000, help="rows of the matrices that are solved")
    options = parser.parse_args()
    xp = importlib.import_module(options.space)
    if options.space == "cupy" and not xp.cuda.is_available():
        parser.exit(1, "There is no GPU. --space array_api_strict runs the same on the host.\n")
    synchronize = xp.cuda.get_current_stream().synchronize if options.space == "cupy" else lambda: None
    if options.space == "cupy":
        print("card:", xp.cuda.runtime.getDeviceProperties(0)["name"].decode())
    space = np if options.space == "numpy" else importlib.import_module("dualtape.boxed.front").front(xp)
    rng = np.random.default_rng(0)

    layers, x, labels = network(xp, rng)
    gradient = dt.gradient(lambda layers: loss(layers, x, labels, space))
    for (a, b), (c, d) in zip(gradient(layers), by_hand(layers, x, labels, xp), strict=True):
        assert float(xp.max(abs(a - c))) < 1e-5 and float(xp.max(abs(b - d))) < 1e-5
    ours = best(lambda: gradient(layers), synchronize)
    theirs = best(lambda: by_hand(layers, x, labels, xp), synchronize)
    print(f"network, gradient by dualtape over by hand: {ours * 1e3:.3f} / {theirs * 1e3:.3f} ms = {ours / theirs:.2f}")

    small, n = xp.asarray([1.0, 2.0, 3.0, 4.0]), 300
    plain = best(lambda: chain(small, n), synchronize) / n
    whole = best(lambda: dt.gradient(lambda x: chain(x, n).sum())(small), synchronize) / n
    print(f"a product of 4 elements: {plain * 1e6:.1f} us plain, {whole * 1e6:.1f} us recorded and swept")

    a = rng.normal(size=(options.size, options.size))
    a = xp.asarray(a @ a.T / options.size + np.eye(options.size))
    b = xp.asarray(rng.normal(size=(options.size, 1)))
    for name, f in (
        ("solve", lambda space, a: space.sum(space.linalg.solve(a, b) ** 2)),
        ("Cholesky", lambda space, a: space.sum(space.linalg.cholesky(a) ** 2)),
    ):
        plain = best(lambda f=f: f(xp, a), synchronize, 3)
        whole = best(lambda f=f: dt.gradient(lambda a: f(space, a))(a), synchronize, 3)
        print(
            f"{name}, {options.size} rows: {plain * 1e3:.1f} ms plain, value and gradient {whole / plain:.1f} times it"
        )


if __name__ == "__main__":
    main()
