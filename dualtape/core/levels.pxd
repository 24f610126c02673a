"""Levels of differentiations.

A *level* numbers a differentiation in the order of its start. In an expression that mixes values of several
differentiations the value of the highest level wraps the others; to it they are constants. Levels are multiples of
STEP for forward mode, one more for reverse mode; the even numbers between are for Duals that users make inside a
differentiation, 0 for those that they make outside.
"""


cdef enum:
    STEP = 16


cdef unsigned long long new_level(bint forward) noexcept
cdef unsigned long long innermost_level() noexcept
cdef unsigned long long enter(unsigned long long level) noexcept
cdef void leave(unsigned long long before) noexcept
cdef bint is_live(unsigned long long level) noexcept
