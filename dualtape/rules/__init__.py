"""The rule table: every elementwise primitive, declared once. Standard library only.

``table`` holds the rows, ``derive`` differentiates their text, ``emit_c`` writes them as C,
``bind`` binds them to boxed numbers, ``namespaces`` knows the kinds of such numbers, and
``document`` prints the table.
"""
