"""The perturbation of a forward differentiation, put on a number and taken off what a function returns."""

from dualtape.core.dual cimport Dual, make, seed
from dualtape.core.levels cimport STEP, is_live
from dualtape.core.traced cimport Traced, as_number

from dualtape.core.levels import close_level, open_level
from dualtape.errors import escaped


def split(unsigned long long level, out):
    """A number that a function returned, as its primal and its tangents at a level.

    Returns
    -------
    value : number
        None where `out` is no number.
    tangents : tuple or None
        None where `out` does not depend on the level.
    """
    if isinstance(out, Dual) and (<Dual>out).level == level:
        return out.value, out.partials
    if isinstance(out, Traced):
        if not is_live((<Traced>out).level):
            return split(level, out.value)
        if (<Traced>out).level > level:
            return split_by_hand(level, out)
        return out, None
    number = as_number(out)
    if number is not out and isinstance(number, Traced):
        return split(level, number)
    return number, None


cdef object split_by_hand(unsigned long long level, out):
    """A Dual that a user made around values of a level: the Dual of the values, and those of the tangents."""
    if not isinstance(out, Dual) or not (<Dual>out).level & (STEP - 2):
        raise escaped()
    parts = [split(level, x) for x in (out.value, *out.partials)]
    width = max([0 if tangents is None else len(tangents) for _, tangents in parts])
    value = make((<Dual>out).level, parts[0][0], tuple([value for value, _ in parts[1:]]))
    if width == 0:
        return value, None
    columns = [[0] * width if tangents is None else tangents for _, tangents in parts]
    return value, tuple([make((<Dual>out).level, columns[0][k], tuple([column[k] for column in columns[1:]]))
                         for k in range(width)])


def derivative_of_float(f, double x):
    """`f` at the Dual x + eps of a new level: the shortest way from call to result.

    Returns
    -------
    value, tangent
        Floats where f returned a native Dual of this level; else what f returned, and the level with the one before
        it: the differentiation still runs then, and the caller ends it by `close_level`.
    native : bool
        Which of the two.
    """
    cdef unsigned long long level, before
    level, before = open_level()
    try:
        out = f(seed(level, x))
    except BaseException:
        close_level(level, before)
        raise
    if type(out) is Dual and (<Dual>out).level == level:
        close_level(level, before)
        return (<Dual>out).primal, (<Dual>out).partial_[0], True
    return out, (level, before), False
