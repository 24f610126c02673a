"""ADBench's four objectives: `python asv_bench/adbench.py`.

Prints the time of each objective, of its gradient or Jacobian, and the ratio of the two. The Jacobian of bundle
adjustment is sparse and found by blocks. The gradients of the mixture and of the LSTM are measured with HIPS autograd,
JAX and PyTorch as well, where they are installed: the same programs, which find their module in the place of NumPy
(array-api-compat's for PyTorch). Compiling is not measured.
"""

import argparse
import importlib
import importlib.util
import os
from itertools import product

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when NumPy is imported

import numpy as np  # noqa: E402

from benchmarks import adbench, adbench_objectives, timing  # noqa: E402

POINTS = {"GMM": ("gmm", adbench_objectives.gmm_point), "LSTM": ("lstm", adbench_objectives.lstm_point)}


def program(name, module):
    """An objective whose `np` is another module."""
    spec = importlib.util.find_spec("benchmarks.adbench_objectives")
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    copy.np = module
    return getattr(copy, name)


def with_autograd(name, point):
    from autograd import value_and_grad

    *variables, data = point
    f = program(name, importlib.import_module("autograd.numpy"))
    together = value_and_grad(lambda variables: f(*variables, data))
    return lambda: together(tuple(variables))


def with_jax(name, point):
    import jax

    jax.config.update("jax_enable_x64", True)
    point = [jax.numpy.asarray(v) for v in point]
    compiled = jax.jit(jax.value_and_grad(program(name, jax.numpy), argnums=(0, 1, 2)))
    return lambda: jax.block_until_ready(compiled(*point))


def with_torch(name, point):
    import torch

    torch.set_num_threads(1)
    module = importlib.import_module("array_api_compat.torch")
    *variables, data = (torch.asarray(v, dtype=torch.float64) for v in point)
    for v in variables:
        v.requires_grad_()
    f = program(name, module)

    def run():
        value = f(*variables, data)
        return value, torch.autograd.grad(value, variables)

    return run


LIBRARIES = {"autograd": with_autograd, "jax": with_jax, "torch": with_torch}


def print_row(*cells):
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def check(ours, theirs, library):
    """Stop unless another library finds our gradient."""
    for a, b in zip(ours()[1], theirs()[1], strict=True):
        np.testing.assert_allclose(np.asarray(b), a, rtol=1e-8, atol=1e-10, err_msg=library)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out the largest mixtures and texts")
    options = parser.parse_args()
    found = {name: build for name, build in LIBRARIES.items() if importlib.util.find_spec(name)}
    for name in LIBRARIES.keys() - found.keys():
        print(f"{name} is not installed: no column for it.")
    print_row("objective", "size", "plain, ms", "derivative, ms", "ratio", *(f"{name}, ratio" for name in found))
    print("|-" * (5 + len(found)) + "|")
    for benchmark in (adbench.GMM, adbench.BA, adbench.Hand, adbench.LSTM):
        for size in product(*benchmark.params):
            if options.quick and (32 in size or 1024 in size):
                continue
            work = benchmark()
            work.setup(*size)
            label = ", ".join(f"{n} = {v}" for n, v in zip(benchmark.param_names, size, strict=True))
            milliseconds = [1e-3 * timing.microseconds(call) for call in (work.plain, work.derivative)]
            cells = [f"{t:.3f}" for t in milliseconds] + [f"{timing.ratio(work.derivative, work.plain):.2f}"]
            for name, build in found.items():
                if benchmark.__name__ not in POINTS:
                    cells.append("")
                    continue
                objective, point = POINTS[benchmark.__name__]
                theirs = build(objective, point(*size))
                check(work.derivative, theirs, name)
                cells.append(f"{timing.ratio(theirs, work.plain):.2f}")
            print_row(benchmark.__name__, label, *cells)


if __name__ == "__main__":
    main()
