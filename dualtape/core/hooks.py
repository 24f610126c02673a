"""What lies above the core and its arrays call: operators, ufuncs, functions, methods and properties by name."""

__all__ = ["HOOKS", "METHODS", "PROPERTIES", "ROWS", "set_hooks"]

HOOKS: dict = {}
METHODS: dict = {}
PROPERTIES: dict = {}
ROWS: dict = {}
"""The rows of ufuncs."""


def set_hooks(hooks, methods, properties, rows):
    """Register what arrays do beyond views.

    Parameters
    ----------
    hooks : dict
        Functions by the names under which the core calls them.
    methods, properties : dict
        Functions of an array and of the method's arguments, by name; a property's setter is under its name and "=".
    rows : dict
        For ufuncs the places of their rows in the rule table.
    """
    HOOKS.update(hooks)
    METHODS.update(methods)
    PROPERTIES.update(properties)
    ROWS.update(rows)
