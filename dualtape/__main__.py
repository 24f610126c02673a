"""``python -m dualtape``: versions, compiler, processor, GPU, and a self-check of less than ten seconds."""

import argparse
import importlib.metadata
import importlib.util
import math
import platform
import random
import re
import statistics
import sys
import types
from pathlib import Path
from time import process_time

import numpy as np

import dualtape as dt
from dualtape.core import kernels, loops, traced
from dualtape.rules.table import RULES

__all__ = ["main"]

SAMPLES = 3  # points for each row of the table
RUNS = 7  # for the ratio to plain Python


# --- what is installed -----------------------------------------------------------------------------------------------


def version(distribution):
    """The version of an installed distribution, or a dash."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def cython_version():
    """The Cython that compiled the core: it is in the name of the module of Cython's function type."""
    numbers = re.findall(r"\d+", type(kernels.evaluate).__module__)
    return ".".join(numbers) or "unknown"


def compiler():
    """The compiler that built the core, from the note that it leaves in the object file."""
    notes = re.findall(rb"GCC: \([^)\0]*\) [0-9.]+|clang version [0-9.]+", Path(kernels.__file__).read_bytes())
    if notes:
        return " and ".join(sorted({note.decode(errors="replace") for note in notes}))
    return f"unknown (Python: {platform.python_compiler()})"


def processor():
    """What the kernels of dualtape are built for, and what NumPy uses beyond its own baseline."""
    baseline = {"x86_64": "SSE2", "AMD64": "SSE2", "aarch64": "NEON", "arm64": "NEON"}
    machine = platform.machine()
    try:
        from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

        found = " ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name)) or "baseline"
    except ImportError:  # a private name of NumPy's
        found = "unknown"
    vectors = ", array loops by AVX2 or AVX-512" if loops.has_vectors() else ""
    return f"{machine}; dualtape: portable ({baseline.get(machine, 'baseline')}){vectors}; NumPy: {found}"


def gpu():
    """Whether CuPy is installed and sees a GPU."""
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed"
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
        names = [cupy.cuda.runtime.getDeviceProperties(i)["name"].decode() for i in range(count)]
    except Exception as error:  # a CUDA library or driver that is missing raises whatever it likes
        return f"CuPy {version('cupy-cuda12x')}, no GPU: {type(error).__name__}"
    return f"CuPy {cupy.__version__}, {', '.join(names) or 'no GPU'}"


def describe():
    """Print what is installed, one line each."""
    lines = {
        "dualtape": dt.__version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()}, {platform.system()})",
        "NumPy": np.__version__,
        "SciPy": version("scipy"),
        "optree": version("optree"),
        "Cython at build": cython_version(),
        "compiler": compiler(),
        "processor": processor(),
        "GPU": gpu(),
    }
    for name, text in lines.items():
        print(f"{name:<16} {text}")


# --- derivatives against finite differences --------------------------------------------------------------------------


def ridders(f, x, h):
    """Derivative by extrapolated central differences (Ridders 1982), and an estimate of its error."""
    best, error = math.nan, math.inf
    previous = []
    for i in range(10):
        row = [(f(x + h) - f(x - h)) / (2.0 * h)]
        for k, older in enumerate(previous):
            factor = 4.0 ** (k + 1)
            row.append((factor * row[k] - older) / (factor - 1.0))
            change = max(abs(row[k + 1] - row[k]), abs(row[k + 1] - older))
            if change < error:
                best, error = row[k + 1], change
        if i and abs(row[-1] - previous[-1]) >= 10.0 * error:
            break
        previous = row
        h *= 0.5
    return best, error


def sample(rule, stream):
    """One point of a row's domain; an argument that is an order is a whole number."""
    return [
        stream.uniform(*box) if partial is not None else float(stream.randint(round(box[0]), round(box[1])))
        for box, partial in zip(rule.domain, rule.partials, strict=True)
    ]


def row_errors(index, rule, stream):
    """Messages for the partial derivatives of one row that disagree, and how many were compared."""
    errors, compared = [], 0
    jumps = rule.constant or rule.name in ("mod", "fmod")  # linear between jumps: a short step does not cross one
    for _ in range(SAMPLES):
        point = sample(rule, stream)
        for place, partial in enumerate(rule.partials):
            if partial is None:
                continue

            def f(t, point=point, place=place):
                return traced.apply_row(index, (*point[:place], t, *point[place + 1 :]))

            x, (low, high) = point[place], rule.domain[place]
            reach = min(x - low, high - x, 1e-4 if jumps else 0.05)
            expected, error = ridders(f, x, 0.9 * reach)
            if not error <= 1e-7 * max(1.0, abs(expected)):
                continue  # a jump nearby, or a function too steep to difference
            compared += 1
            tolerance = 1e-6 * abs(expected) + 10.0 * error + 1e-9
            for operator in (dt.derivative, dt.gradient):
                found = operator(f, x)
                if not abs(found - expected) <= tolerance:
                    errors.append(
                        f"{rule.name}{tuple(point)}: {operator.__name__} in {rule.args[place]} is {found!r}, "
                        f"finite differences give {expected!r}"
                    )
    return errors, compared


def check_rows():
    """Every row of the table in forward and reverse mode."""
    stream = random.Random(1)
    errors, compared = [], 0
    for index, rule in enumerate(RULES):
        wrong, count = row_errors(index, rule, stream)
        errors += wrong
        compared += count
    return f"{len(RULES)} rules, forward and reverse, {compared} partials against finite differences", errors


# --- derivatives that are known --------------------------------------------------------------------------------------


def known():
    """Yield (what, found, expected), to agree to a few units of the last place."""
    derivative, gradient = dt.derivative, dt.gradient
    yield "sin' = cos", derivative(dt.sin, 1.0), math.cos(1.0)
    yield "exp' = exp", gradient(dt.exp, 1.0), math.e
    yield "log' = 1/x", gradient(dt.log, 3.0), 1.0 / 3.0
    yield "(x**3)' = 3 x**2", derivative(lambda x: x**3, 2.0), 12.0
    yield "lgamma' at 1 is minus Euler's constant", gradient(dt.lgamma, 1.0), -0.5772156649015329
    yield "D(x D(x + y)) = 1", derivative(lambda x: x * derivative(lambda y: x + y)(1.0))(1.0), 1.0
    yield "D(x D(x y)) = 2 x", derivative(lambda x: x * derivative(lambda y: x * y)(1.0))(4.0), 8.0
    yield "D of a gradient", derivative(lambda x: gradient(lambda y: x * y**3)(2.0))(5.0), 12.0
    yield "gradient of D", gradient(lambda x: derivative(lambda y: x**2 * dt.sin(y))(0.0))(3.0), 6.0
    for n in range(1, 6):
        f = derivative_of_order(n, lambda x, n=n: x**n)
        yield f"derivative {n} of x**{n} at 0 is {n}!", f(0.0), float(math.factorial(n))
    yield "Taylor series of sin", dt.taylor(dt.sin, 0.0, 3)[3], -1.0
    hessian = dt.hessian(lambda v: 100.0 * (v[1] - v[0] ** 2) ** 2 + (1.0 - v[0]) ** 2, np.array([1.0, 2.0]))
    for (i, k), expected in (((0, 0), 402.0), ((0, 1), -400.0), ((1, 1), 200.0)):
        yield f"Hessian of Rosenbrock's function, entry {i}{k}", float(hessian[i, k]), expected


def derivative_of_order(n, f):
    """The n-th derivative, by nesting."""
    for _ in range(n):
        f = dt.derivative(f)
    return f


def check_known():
    """Derivatives whose values are known in closed form, nested ones among them."""
    cases = list(known())
    errors = [
        f"{what}: {found!r}, not {right!r}"
        for what, found, right in cases
        if not math.isclose(found, right, rel_tol=1e-14)
    ]
    return f"{len(cases)} derivatives of known value, nested ones among them", errors


# --- the ratio to plain Python ---------------------------------------------------------------------------------------


def lorenz(x, y, z, sigma, rho, beta, steps=1000, h=0.005):
    """Squared distance from the origin after `steps` Runge-Kutta steps along the Lorenz equations."""
    half, sixth = 0.5 * h, h / 6.0
    for _ in range(steps):
        kx1, ky1, kz1 = sigma * (y - x), x * (rho - z) - y, x * y - beta * z
        xs, ys, zs = x + half * kx1, y + half * ky1, z + half * kz1
        kx2, ky2, kz2 = sigma * (ys - xs), xs * (rho - zs) - ys, xs * ys - beta * zs
        xs, ys, zs = x + half * kx2, y + half * ky2, z + half * kz2
        kx3, ky3, kz3 = sigma * (ys - xs), xs * (rho - zs) - ys, xs * ys - beta * zs
        xs, ys, zs = x + h * kx3, y + h * ky3, z + h * kz3
        kx4, ky4, kz4 = sigma * (ys - xs), xs * (rho - zs) - ys, xs * ys - beta * zs
        x = x + sixth * (kx1 + 2.0 * (kx2 + kx3) + kx4)
        y = y + sixth * (ky1 + 2.0 * (ky2 + ky3) + ky4)
        z = z + sixth * (kz1 + 2.0 * (kz2 + kz3) + kz4)
    return x * x + y * y + z * z


def ratio(work, plain):
    """The median of time(work) / time(plain), each pair measured in a row."""

    def seconds(call):
        start = process_time()
        for _ in range(5):
            call()
        return process_time() - start

    work()
    plain()
    return statistics.median(seconds(work) / seconds(plain) for _ in range(RUNS))


def check_speed():
    """A gradient in six inputs over the same program on floats. A slow machine is no error."""
    point = (1.0, 2.0, 3.0, 10.0, 28.0, 8.0 / 3.0)

    # Bytecode of its own: CPython would not specialise for floats what it also runs on traced numbers.
    apart = types.FunctionType(lorenz.__code__.replace(), globals(), "lorenz", lorenz.__defaults__)

    def plain():
        return apart(*point)

    reverse = ratio(lambda: dt.gradient(lorenz, *point), plain)
    forward = ratio(lambda: dt.derivative(lambda x: lorenz(x, *point[1:]), point[0]), plain)
    return (
        f"Lorenz, 68,005 operations: gradient {reverse:.2f}, derivative {forward:.2f} times plain Python",
        [],
    )


def main(arguments=None):
    """Print the report and run the checks.

    Parameters
    ----------
    arguments : list of str, optional
        The command line; ``--versions`` leaves out the checks.

    Returns
    -------
    int
        0 if every check passed, else 1.
    """
    parser = argparse.ArgumentParser(prog="python -m dualtape", description="Versions of dualtape, and a self-check.")
    parser.add_argument("--versions", action="store_true", help="leave out the self-check")
    options = parser.parse_args(arguments)
    describe()
    if options.versions:
        return 0
    print()
    failed = False
    for check in (check_known, check_rows, check_speed):
        try:
            summary, errors = check()
        except Exception as error:  # a broken build may raise anything; the other checks still tell something
            summary, errors = check.__doc__.splitlines()[0], [f"{type(error).__name__}: {error}"]
        print(f"{'FAILED' if errors else 'passed'}  {summary}")
        for error in errors:
            print(f"        {error}")
        failed = failed or bool(errors)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
