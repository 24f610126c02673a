"""Overhead of the backward pass per operation: `python asv_bench/table1.py`.

The measurement of Table 1 of Innes et al. 2019 (arXiv 1907.07587). A stack of LSTM layers with 4 features is applied
4 times to its own output; the gradient is taken in all weights, first states and inputs. What the backward pass takes
is measured for batches of 1 to 8 and extrapolated to an empty batch, where there is nothing to compute. What is left
is overhead. It is divided by the paper's count of adjoints, for all libraries alike. How many operations on arrays
dualtape records for the same program is told beside: its own operations are fewer and larger.

The published figures are of another machine, an i5-6600 at 3.3 GHz. PyTorch and JAX are measured beside dualtape where
they are installed, with the same program, operation by operation.
"""

import argparse
import importlib.util
import os
import sys
from timeit import timeit

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when NumPy is imported

import numpy as np  # noqa: E402

import dualtape as dt  # noqa: E402
from benchmarks import array_programs as programs  # noqa: E402
from dualtape.core.tape import live  # noqa: E402

BATCHES = range(1, 9)
# Layers: adjoints, overhead in µs, and the same per adjoint in ns, as printed in the paper.
PAPER = {1: (255, 147.0, 576.3), 2: (491, 280.5, 571.3), 3: (727, 406.1, 558.6)}
PAPER_MEAN = 568.8
# Layers and batch; the loss; norms of the gradients in Wx, Wh and b of each layer. Found by complex step.
KNOWN = [
    (1, 1, 0.40480549868633, [(0.158532668683, 0.159364792246, 0.732757683952)]),
    (1, 3, 1.08378590696027, [(0.414668626023, 0.401896692814, 2.265677388809)]),
    (
        3,
        1,
        0.06443252526320,
        [
            (0.000829329305, 0.000914699583, 0.0044722658),
            (0.011551937086, 0.010312077114, 0.057194065906),
            (0.160083442772, 0.147494650176, 0.691497123398),
        ],
    ),
]


class Dualtape:
    """The program as it stands."""

    name = "dualtape"

    def record(self, layers, batch, n=4):
        """The loss, and a function that runs the backward pass."""
        weights, x = programs.lstm_weights(layers, n), programs.lstm_input(batch, n)
        value, back = dt.pullback(programs.lstm_loss, weights, x, layers=layers)
        return value, lambda: back(1.0)


def recorded_operations(layers, batch=1):
    """The operations on arrays that dualtape records for the program: 22 for each cell, and a sum."""
    before = live()[1]
    _, back = Dualtape().record(layers, batch)
    count = live()[1] - before
    del back
    return count


def transcribed(weights, x, layers, sigmoid, tanh, steps=4):
    """`lstm_loss` with the functions of another library."""
    state = [(h, c) for _, _, _, h, c in weights]
    for _ in range(steps):
        for l in range(layers):
            Wx, Wh, b, _, _ = weights[l]
            h, c = state[l]
            n = len(b) // 4
            gates = Wx @ x + Wh @ h + b
            i, f = sigmoid(gates[:n]), sigmoid(gates[n : 2 * n])
            g, o = tanh(gates[2 * n : 3 * n]), sigmoid(gates[3 * n :])
            c = f * c + i * g
            x = o * tanh(c)
            state[l] = x, c
    return x.sum()


class PyTorch:
    name = "torch"

    def __init__(self):
        import torch

        torch.set_num_threads(1)
        self.torch = torch

    def record(self, layers, batch, n=4):
        torch = self.torch
        variable = lambda v: torch.tensor(v, dtype=torch.float64, requires_grad=True)
        weights = [tuple(map(variable, layer)) for layer in programs.lstm_weights(layers, n)]
        x = variable(programs.lstm_input(batch, n))
        value = transcribed(weights, x, layers, torch.sigmoid, torch.tanh)
        variables = [v for layer in weights for v in layer] + [x]

        def back():
            *flat, dx = torch.autograd.grad(value, variables, retain_graph=True)
            return [tuple(flat[5 * l : 5 * l + 5]) for l in range(layers)], dx

        return value.item(), back


class JAX:
    """The pulled-back function of `jax.vjp`, not compiled as a whole: a compiler has no overhead per operation."""

    name = "jax"

    def __init__(self):
        import jax

        jax.config.update("jax_enable_x64", True)
        self.jax = jax

    def record(self, layers, batch, n=4):
        jax = self.jax
        weights, x = jax.tree.map(jax.numpy.asarray, (programs.lstm_weights(layers, n), programs.lstm_input(batch, n)))
        loss = lambda weights, x: transcribed(weights, x, layers, jax.nn.sigmoid, jax.numpy.tanh)
        value, back = jax.vjp(loss, weights, x)
        one = jax.numpy.ones_like(value)
        return float(value), lambda: jax.block_until_ready(back(one))


def check(library):
    """Stop unless the library computes what it should."""
    for layers, batch, loss, expected in KNOWN:
        value, back = library.record(layers, batch)
        weights, _ = back()
        norms = [[float(np.linalg.norm(np.asarray(g))) for g in layer[:3]] for layer in weights]
        if abs(value - loss) > 1e-12 or not np.allclose(norms, expected, rtol=0.0, atol=1e-11):
            sys.exit(
                f"{library.name}, {layers} layers, batch {batch}: loss {value}, norms {norms} of the gradients; "
                f"expected {loss} and {expected}"
            )


def fastest(calls, seconds, sample=5e-4):
    """For each of several functions the seconds of its fastest run.

    They take turns, a short sample each, until all together have run for `seconds` each. A slow moment of the machine
    then slows a few samples of every function, none of which is the minimum.
    """
    loops = [max(1, round(sample / min(timeit(call, number=1) for _ in range(5)))) for call in calls]
    best, spent = [np.inf] * len(calls), 0.0
    while spent < seconds * len(calls):
        for k, call in enumerate(calls):
            took = timeit(call, number=loops[k])
            best[k] = min(best[k], took / loops[k])
            spent += took
    return np.array(best)


def overhead(library, layers, seconds, batches=BATCHES, n=4):
    """Seconds for each batch, and intercept and slope of the line through them."""
    times = fastest([library.record(layers, batch, n)[1] for batch in batches], seconds)
    slope, intercept = np.polyfit(list(batches), times, 1)
    return times, intercept, slope


def libraries():
    """Those that are installed; says which are not."""
    found = [Dualtape()]
    for module, library in (("torch", PyTorch), ("jax", JAX)):
        if importlib.util.find_spec(module):
            found.append(library())
        else:
            print(f"{module} is not installed: no column for it.")
    return found


def print_row(*cells):
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def print_table(found, seconds):
    """The paper's rows, ours beside."""
    names = [library.name for library in found]
    print_row("layers", "adjoints", "Zygote, published", *names)
    print("|-" * (3 + len(found)) + "|")
    per_adjoint, details = {name: [] for name in names}, []
    for layers, (adjoints, published, published_each) in PAPER.items():
        cells = []
        for library in found:
            times, a, b = overhead(library, layers, seconds)
            each = 1e9 * a / adjoints
            per_adjoint[library.name].append(each)
            cells.append(f"{1e6 * a:.1f} µs, {each:.1f} ns each")
            details.append((library.name, layers, times, b))
        print_row(layers, adjoints, f"{published:.1f} µs, {published_each:.1f} ns each", *cells)
    means = (f"{np.mean(each):.1f} ns each" for each in per_adjoint.values())
    print_row("mean", "", f"{PAPER_MEAN} ns each", *means)
    counts = ", ".join(str(recorded_operations(layers)) for layers in PAPER)
    print(f"\nOperations on arrays that dualtape records, for {', '.join(map(str, PAPER))} layers: {counts}.")
    print("\nMicroseconds of the backward pass for each batch, and what one more member of the batch adds:\n")
    print_row("", "layers", *BATCHES, "one more")
    print("|-" * (3 + len(BATCHES)) + "|")
    for name, layers, times, slope in details:
        print_row(name, layers, *(f"{1e6 * t:.1f}" for t in times), f"{1e6 * slope:.2f}")


def print_large(found, seconds, n=128, batches=(1, 2, 4, 8, 16, 32, 64)):
    """The same with more features, where arithmetic counts.

    The line does not go to the overhead: to fill the gradients of the weights takes its time, however small the batch.
    """
    print(f"\nOne layer of {n} features: microseconds of the backward pass for each batch, and where the line begins\n")
    print_row("", *batches, "at 0", "one more")
    print("|-" * (3 + len(batches)) + "|")
    for library in found:
        times, intercept, slope = overhead(library, 1, seconds, batches, n)
        print_row(library.name, *(f"{1e6 * t:.0f}" for t in times), f"{1e6 * intercept:.0f}", f"{1e6 * slope:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="time for each measurement (default: 0.5)")
    parser.add_argument("--quick", action="store_true", help="leave out the layer of 128 features")
    options = parser.parse_args()
    found = libraries()
    for library in found:
        check(library)
    print("Losses and norms of gradients are as they should be.\n")
    print_table(found, options.seconds)
    if not options.quick:
        print_large(found, options.seconds)


if __name__ == "__main__":
    main()
