"""The table of figures in the README, measured here and now: `python asv_bench/report.py`.

Prints Markdown: the machine, then one row for each figure, of programs on numbers and of programs on arrays.
`--quick` leaves out the longest recordings and the larger arrays, `--write` puts the result into the README.
"""

import argparse
import os
import platform
import sys
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when NumPy is imported

import numpy as np  # noqa: E402

import array_report  # noqa: E402
import dualtape as dt  # noqa: E402
from array_report import measured  # noqa: E402
from benchmarks import overhead, programs, recording, scalar_loop, timing  # noqa: E402


def processor():
    """The processor's model name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def plain_nanoseconds():
    """What one operation of Lorenz takes in plain Python: builds of Python differ by a factor of two."""
    lorenz = scalar_loop.LorenzReverse()
    lorenz.setup()
    return 1e3 * timing.microseconds(lorenz.plain) / programs.lorenz_operations()


def machine():
    """One line: processor, system, versions, and the speed of plain Python."""
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, dualtape {dt.__version__}"
    return (
        f"{processor()}, {platform.system()}, {versions}; plain Python takes {plain_nanoseconds():.1f} ns for each "
        "operation of Lorenz"
    )


def rows(quick):
    """Yield (work, figure to reach, value, format)."""
    loop, fixed = scalar_loop, overhead
    lorenz = "Lorenz, RK4, 1000 steps (68,005 operations)"
    yield (
        f"{lorenz}: reverse gradient in 6 inputs",
        "2.4",
        measured(loop.LorenzReverse, "track_gradient"),
        ".2f",
    )
    for tangents, goal in ((1, "2.1"), (6, "2.5")):
        value = measured(loop.LorenzForward, "track_derivative", tangents)
        yield f"the same, forward, {tangents} tangent{'s' * (tangents > 1)}", goal, value, ".2f"
    value = measured(recording.Memory, "track_bytes")
    yield "tape for each operation of the same", "24 bytes", value, ".1f bytes"
    for operator, goal in (("gradient", "1.0 µs"), ("derivative", "0.5 µs")):
        value = measured(fixed.Call, "track_call", operator)
        yield f"one `dt.{operator}(lambda x: x * x, 1.0)`", goal, value, ".2f µs"
    value = measured(loop.RosenbrockSecond, "track_hessian")
    yield "Hessian of Rosenbrock, n = 100, over 100 gradients", "1.5", value, ".2f"
    yield (
        "Hessian-vector product of the same, over one gradient",
        "",
        measured(loop.RosenbrockSecond, "track_hvp"),
        ".2f",
    )
    yield (
        "gradient of Rosenbrock, n = 100",
        "",
        measured(loop.RosenbrockReverse, "track_gradient", 100),
        ".2f",
    )
    for operator in ("derivative", "gradient"):
        value = measured(loop.TaylorSine, "track_first_derivative", operator)
        yield f"`dt.{operator}` of the sine's Taylor series (41 operations)", "", value, ".2f"
    for exponent in (5, 6) if quick else (5, 6, 7):
        value = measured(recording.Growth, "track_gradient", 10**exponent)
        yield f"gradient of a chain of 10^{exponent} operations", "", value, ".2f"
    yield (
        "`import dualtape` beyond `import numpy`",
        "30 ms",
        measured(fixed.Import, "track_import_over_numpy"),
        ".0f ms",
    )


def lines(quick):
    """Yield the report, line by line."""
    yield f"Machine: {machine()}."
    for title, table in (("work", rows), ("work on arrays, over plain NumPy", array_report.rows)):
        yield ""
        yield f"| {title} | to reach | measured |"
        yield "|-|-|-|"
        for work, goal, value, form in table(quick):
            digits, _, unit = form.partition(" ")
            yield f"| {work} | {'≤ ' + goal if goal else ''} | {value:{digits}}{' ' + unit if unit else ''} |"


def main():
    """Print the report, and put it into the README if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out the longest recordings")
    parser.add_argument("--write", action="store_true", help="put the report between the marks in the README")
    options = parser.parse_args()
    report = []
    for line in lines(options.quick):
        print(line, flush=True)
        report.append(line)
    if options.write:
        readme = Path(__file__).parents[1] / "README.md"
        before, _, rest = readme.read_text(encoding="utf-8").partition("<!-- figures -->\n")
        after = rest.partition("<!-- /figures -->")[2]
        text = "\n".join(report)
        readme.write_text(f"{before}<!-- figures -->\n{text}\n<!-- /figures -->{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
