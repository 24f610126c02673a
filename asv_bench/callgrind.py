"""Instruction counts of derivatives over plain Python: a measure that a busy machine does not disturb.

`python asv_bench/callgrind.py [NAME ...]` runs each program of WORK and its plain version under
`valgrind --tool=callgrind` twice, with few and with many repetitions. The difference of the two counts is the
work of the repetitions alone, without the start of the interpreter and the imports.
Counts repeat from run to run for the same binary; ratios of counts are not ratios of times.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FEW, MANY = 2, 5


def programs():
    """Name -> (work, plain, operations): imported late, so that `--help` needs no compiled core."""
    import dualtape as dt
    from benchmarks import programs as p
    from benchmarks.timing import separate

    steps = 100
    operations = p.lorenz_operations(steps)
    point = p.LORENZ_POINT
    x, *rest = point
    traced = separate(p.lorenz)

    def lorenz():
        return p.lorenz(*point, steps=steps)

    return {
        "lorenz-reverse": (lambda: dt.gradient(traced, *point, steps=steps), lorenz, operations),
        "lorenz-forward": (
            lambda: dt.derivative(lambda x: traced(x, *rest, steps=steps), x),
            lorenz,
            operations,
        ),
        "square-gradient": (lambda: dt.gradient(lambda x: x * x, 1.0), lambda: (lambda x: x * x)(1.0), 1),
        "square-derivative": (lambda: dt.derivative(lambda x: x * x, 1.0), lambda: (lambda x: x * x)(1.0), 1),
    }


def repeat(name, which, times):
    """The measured program itself."""
    call = programs()[name][which]
    for _ in range(times):
        call()


def instructions(name, which, times):
    """Instructions of a whole process that repeats the program `times` times."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command += [sys.executable, __file__, "--repeat", name, str(which), str(times)]
    environment = dict(os.environ, PYTHONHASHSEED="0", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    report = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stderr
    return int(re.search(r"Collected : (\d+)", report).group(1))


def main(names):
    """Print a Markdown table: instructions for each operation, with derivatives and without, and their ratio."""
    work = programs()
    print("| program | instructions for each operation | plain Python | ratio |")
    print("|-|-|-|-|")
    for name in names or work:
        scale = 1 if work[name][2] > 1 else 200
        counts = [
            (instructions(name, which, scale * MANY) - instructions(name, which, scale * FEW))
            / (scale * (MANY - FEW))
            / work[name][2]
            for which in (0, 1)
        ]
        print(f"| {name} | {counts[0]:.0f} | {counts[1]:.0f} | {counts[0] / counts[1]:.2f} |", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    if sys.argv[1:2] == ["--repeat"]:
        repeat(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main(sys.argv[1:])
