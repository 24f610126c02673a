"""Calls in the manner of a library's own function, whose parameters may have other names and another order."""

import functools
import inspect

__all__ = ["adapter"]

_NAMES = {
    "a_min": "min", "a_max": "max", "rcond": "rtol", "newshape": "shape", "x_min": "min", "x_max": "max",
}  # fmt: skip
_UNIMPORTANT = {"kind", "optimize", "subok", "casting", "precision", "preferred_element_type", "unique_indices"}
_OF_NEW_ARRAYS = {"dtype", "device"}


@functools.cache
def adapter(own, function):
    """What turns arguments of a library's function into those of ours; None where they can be passed on as they are.

    Parameters
    ----------
    own, function : callable

    Returns
    -------
    callable or None
        ``adapter(args, kwargs)`` gives a pair of the same kind, and a third value: the name of an option of which there
        is no rule, or None.
    """
    try:
        theirs = list(inspect.signature(own).parameters.values())
        ours = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    kinds = {p.kind for p in theirs}
    if inspect.Parameter.VAR_POSITIONAL in kinds or any(p.kind is p.VAR_POSITIONAL for p in ours):
        return None
    taken = {p.name for p in ours} | {"out"}
    if any(p.kind is p.VAR_KEYWORD for p in ours):
        taken |= _OF_NEW_ARRAYS
    needed = 0
    while needed < len(ours) and ours[needed].default is inspect.Parameter.empty:
        needed += 1
    plan = {}
    for k, p in enumerate(theirs):
        name = _NAMES.get(p.name, p.name)
        place = k if k < needed else None
        plan[p.name] = (place, name if name in taken else None, p.default)
    most = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in theirs)
    names = [p.name for p in theirs][:most]

    def adapt(args, kwargs):
        if len(args) > most:
            raise TypeError(f"{own.__name__}() takes {most} positional arguments but {len(args)} were given")
        places, options, strange = {}, {}, None
        for name, value in (*zip(names, args, strict=False), *kwargs.items()):
            place, target, default = plan.get(name, (None, name if name in taken else None, inspect.Parameter.empty))
            if place is not None:
                places[place] = value
            elif target is not None:
                if not _is(value, default):
                    options[target] = value
            elif name not in _UNIMPORTANT and not _is(value, default):
                strange = name
        return tuple(places[k] for k in sorted(places)), options, strange

    return adapt


def _is(value, default):
    return value is default or (type(value) is type(default) and isinstance(value, (str, int)) and value == default)
