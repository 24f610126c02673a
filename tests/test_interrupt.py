"""Ctrl-C stops recording and sweeps, and the library is usable after it."""

import gc
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import dualtape as dt
from dualtape.core.tape import live

PREAMBLE = """
import os
import signal
import threading
import time
import dualtape as dt
from dualtape.core.tape import live

# Started in the background of a shell, a process inherits SIGINT as ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupt_after(seconds):
    def press():
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


def chain(x, n):
    y = x
    for _ in range(n):
        y = y * 0.9999999
    return y


def usable():
    assert dt.gradient(lambda x: x * x, 3.0) == 6.0
    assert dt.derivative(dt.gradient(lambda x: x**3))(2.0) == 12.0
    print("usable")
"""

# Each takes minutes when nothing stops it.
LONG = {
    "recording": "dt.gradient(lambda x: chain(x, 10**9) if not interrupt_after(0.2) else 0, 1.0)",
    "forward mode": "interrupt_after(0.2); dt.derivative(lambda x: chain(x, 10**10), 1.0)",
    "sweeps of a Jacobian": """
    tape_length = 2_000_000
    def f(x):
        y = chain(x, tape_length)
        interrupt_after(0.2)
        return [y] * 50_000
    dt.jacobian(f, 1.0, mode="reverse")
    """,
    "one long pullback after another": """
    value, back = dt.pullback(lambda x: chain(x, 2_000_000), 1.0)
    interrupt_after(0.2)
    while True:
        back(1.0)
    """,
    "a Hessian": """
    def f(v):
        y = chain(v[0] * v[1], 1_000_000)
        interrupt_after(0.2)
        return y + sum(v)
    dt.hessian(f, [1.0] * 20_000)
    """,
    "boxed sweeps": """
    value, back = dt.pullback(lambda x: chain(x, 300_000), dt.Dual(1.0, 1.0))
    interrupt_after(0.2)
    while True:
        back(1.0)
    """,
}


@pytest.mark.parametrize("program", LONG.values(), ids=LONG)
def test_ctrl_c(program):
    body = textwrap.indent(textwrap.dedent(program).strip(), "    ")
    source = f"{PREAMBLE}\ntry:\n{body}\nexcept KeyboardInterrupt:\n    print('interrupted')\nusable()\n"
    environment = dict(os.environ, PYTHONPATH=os.getcwd())
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=100, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["interrupted", "usable"]


class Interrupted(BaseException):
    """What Ctrl-C raises, at a place of our choice."""


def interrupted_at(k, call):
    """Call with an exception at the k-th bytecode that runs in dualtape's Python files; whether it came to that."""
    package = str(Path(dt.__file__).parent)
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if not frame.f_code.co_filename.startswith(package):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            count += 1
            if count == k:
                raise Interrupted
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except Interrupted:
        return True
    finally:
        sys.settrace(before)
    return False


def product(v):
    return dt.sin(v[0]) * v[0] * v[1]


OPERATORS = {
    "gradient": lambda: dt.gradient(lambda x: x * x, 1.1),
    "derivative": lambda: dt.derivative(lambda x: x * x, 1.1),
    "gradient of a list": lambda: dt.gradient(product, [1.1, 2.0]),
    "hessian": lambda: dt.hessian(product, [1.1, 2.0]).tolist(),
    "hvp": lambda: dt.hvp(product, [1.1, 2.0], [1.0, 0.5]),
    "jacobian reverse": lambda: dt.jacobian(lambda v: [product(v)], [1.1, 2.0], mode="reverse").tolist(),
    "jacobian forward": lambda: dt.jacobian(lambda v: [product(v)], [1.1, 2.0], mode="forward").tolist(),
    "nested": lambda: dt.gradient(dt.gradient(lambda x: x**3))(1.1),
    "mixed": lambda: dt.derivative(dt.gradient(lambda x: x**3))(1.1),
    "pullback": lambda: dt.pullback(lambda x: x**3, 1.1)[1](1.0),
    "pushforward": lambda: dt.pushforward(lambda x: x**3, 1.1, 1.0),
    "array": lambda: dt.gradient(lambda v: np.sin(v).sum(), np.ones(2)).tolist(),
}


# An interrupt of a generator that is being thrown away has nobody to go to.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("call", OPERATORS.values(), ids=OPERATORS)
def test_an_interrupt_at_any_moment_leaves_nothing_alive(call):
    expected = call()
    k = 1
    while interrupted_at(k, call):
        if live() != (0, 0):
            gc.collect()
        assert live() == (0, 0), k
        assert call() == expected, k
        k += 1
