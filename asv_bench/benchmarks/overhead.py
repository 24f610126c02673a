"""Fixed costs: one call of an operator, one level of nesting, the import."""

import os
import statistics
import subprocess
import sys

import dualtape as dt

from .timing import RUNS, microseconds, ratio, separate

IMPORT_TIMER = """
from time import process_time
start = process_time()
import {module}
print(process_time() - start)
"""


def square(x):
    return x * x


class Call:
    """The smallest differentiation: x * x at 1.0, the result thrown away."""

    params = ("gradient", "derivative", "value_and_gradient", "hessian", "pullback")
    param_names = ("operator",)

    def setup(self, operator):
        self.operator = getattr(dt, operator)

    def track_call(self, operator):
        """Microseconds of one call."""
        return microseconds(lambda: self.operator(square, 1.0))

    track_call.unit = "us"


def power_series(x):
    total = 0.0
    for i in range(100):
        total = total * x + float(i)
    return total


class Nested:
    """The n-th derivative as n nested calls of `derivative`, of a program of 200 operations."""

    params = (1, 2, 3, 4)
    param_names = ("depth",)

    def setup(self, depth):
        f = separate(power_series)
        for _ in range(depth):
            f = dt.derivative(f)
        self.f = f

    def track_derivative(self, depth):
        """Time of the nested derivative over the plain run."""
        return ratio(lambda: self.f(0.5), lambda: power_series(0.5))

    track_derivative.unit = "ratio"


class Import:
    """The time of `import dualtape`, in fresh interpreters, alternating with `import numpy`."""

    timeout = 120

    def seconds(self, module):
        command = [sys.executable, "-c", IMPORT_TIMER.format(module=module)]
        # An installed package has its bytecode; without it every import would compile the sources.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return float(done.stdout)

    def track_import_over_numpy(self):
        """Milliseconds of `import dualtape` beyond `import numpy`."""
        self.seconds("dualtape")  # fills the caches of the file system
        samples = [self.seconds("dualtape") - self.seconds("numpy") for _ in range(RUNS)]
        return 1000.0 * statistics.median(samples)

    track_import_over_numpy.unit = "ms"
