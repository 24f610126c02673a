"""Ctrl-C stops recording and sweeps, and the library is usable after it."""

import os
import subprocess
import sys
import textwrap

import pytest

PREAMBLE = """
import os
import signal
import threading
import time
import dualtape as dt
from dualtape.core.tape import live


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
