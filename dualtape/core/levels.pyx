"""Levels: which differentiations there are, which of them run, and which runs innermost."""

cdef extern from *:
    """
    /* The level of the differentiation that runs innermost in this thread, 0 if none does. Differentiations are calls,
     * so in each thread they nest. */
    #if defined(_MSC_VER)
    static __declspec(thread) unsigned long long dt_innermost = 0;
    #else
    static __thread unsigned long long dt_innermost = 0;
    #endif
    """
    unsigned long long dt_innermost

cdef unsigned long long last_level = 0
# Forward levels that are running now, in no order; rarely more than a handful. The GIL guards them.
cdef set live_levels = set()


cdef unsigned long long new_level(bint forward) noexcept:
    global last_level
    last_level += STEP
    return last_level if forward else last_level + 1


cdef unsigned long long innermost_level() noexcept:
    """The level of the differentiation that runs innermost in this thread, 0 if none does."""
    return dt_innermost


cdef unsigned long long enter(unsigned long long level) noexcept:
    """Make a level the innermost of this thread; gives the one before, for `leave`."""
    global dt_innermost
    cdef unsigned long long before = dt_innermost
    dt_innermost = level
    return before


cdef void leave(unsigned long long before) noexcept:
    """The counterpart of `enter`."""
    global dt_innermost
    dt_innermost = before


cdef bint is_live(unsigned long long level) noexcept:
    """Whether a forward level is still running. Tapes know by themselves, and Duals made by hand never end."""
    return level & (STEP - 1) != 0 or level == 0 or level in live_levels


def open_level():
    """Start a forward differentiation.

    Returns
    -------
    level, before : int
        Its level, and the one that was innermost before: both go to `close_level`.
    """
    cdef unsigned long long level = new_level(True)
    live_levels.add(level)
    return level, enter(level)


def close_level(level, before):
    """End a forward differentiation. What escaped of it counts as a constant from here on."""
    live_levels.discard(level)
    leave(before)


def is_running(unsigned long long level):
    """Whether a level is one of a forward differentiation that has not ended, of a tape, or of a Dual made by hand."""
    return is_live(level)


def count_live_levels():
    """How many forward differentiations are running, for tests of leaks."""
    return len(live_levels)
