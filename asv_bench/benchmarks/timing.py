"""Ratios of running times that hold on a shared machine.

Each sample times the work and its denominator one after the other, in one process. A ratio is the median over
the samples, so that a slow moment of the machine touches one sample and not the result. Time is processor
time of this process: what other programs do meanwhile is not counted.

From 3.11 on, CPython specialises a function's bytecode for the types that it sees. A function that runs on floats
and on traced numbers in turn loses the specialisation for floats, and plain Python looks up to twice as slow as it
is. So the plain program and the differentiated one are `separate` copies, each with bytecode of its own.
"""

import statistics
import types
from time import process_time

RUNS = 7
SAMPLE_SECONDS = 0.01


def separate(f):
    """A copy of a Python function whose bytecode is specialised apart from the original's."""
    return types.FunctionType(f.__code__.replace(), f.__globals__, f.__name__, f.__defaults__, f.__closure__)


def seconds(call, loops):
    """Processor seconds of one call, from `loops` calls in a row."""
    repeat = range(loops)
    start = process_time()
    for _ in repeat:
        call()
    return (process_time() - start) / loops


def loops_for(call, sample_seconds=SAMPLE_SECONDS):
    """The number of calls that fills one sample. Its own calls also warm caches and memory pools."""
    call()
    loops = 1
    while True:
        spent = seconds(call, loops) * loops
        if spent >= 0.5 * sample_seconds:
            return max(1, round(loops * sample_seconds / spent))
        loops *= 4


def ratio(work, plain, runs=RUNS):
    """The median over `runs` interleaved samples of time(work) / time(plain)."""
    many, few = loops_for(plain), loops_for(work)
    return statistics.median(seconds(work, few) / seconds(plain, many) for _ in range(runs))


def microseconds(call, runs=RUNS):
    """The median over `runs` samples of one call, the time of an empty call taken off."""

    def nothing():
        return None

    loops = loops_for(call)
    return 1e6 * statistics.median(seconds(call, loops) - seconds(nothing, loops) for _ in range(runs))
