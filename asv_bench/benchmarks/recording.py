"""What a recording costs as it grows: time and memory for each operation."""

import dualtape as dt

from . import programs
from .timing import RUNS, ratio, separate


class Growth:
    """The gradient of one long chain of operations over the plain run: a flat line is a linear cost."""

    params = (10**4, 10**5, 10**6, 10**7)
    param_names = ("operations",)
    timeout = 300

    def track_gradient(self, operations):
        """Time of the gradient over the plain run."""
        spring = separate(programs.spring)
        return ratio(
            lambda: dt.gradient(spring, 1.0, operations=operations),
            lambda: programs.spring(1.0, operations),
            runs=RUNS if operations <= 10**6 else 3,
        )

    track_gradient.unit = "ratio"


class Memory:
    """The tape of Lorenz with 10,000 steps, 680,005 operations on floats."""

    def track_bytes(self):
        """Bytes of tape for each operation of the program, primals included, the rest of the last block too."""
        steps = 10_000
        tape = dt.Tape()
        programs.lorenz(*(tape.variable(value) for value in programs.LORENZ_POINT), steps=steps)
        return tape.nbytes / programs.lorenz_operations(steps)

    track_bytes.unit = "bytes"
