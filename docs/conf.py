"""Configuration of Sphinx. dualtape itself must be installed; the tree is not put on the path."""

from pathlib import Path

from docutils import nodes

import dualtape
from dualtape.rules.document import markdown_table
from dualtape.rules.table import RULES

HERE = Path(__file__).parent

project = "dualtape"
author = "The dualtape developers"
copyright = f"2026, {author}"
version = release = dualtape.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "dualtape"
html_static_path = ["_static"]
html_css_files = ["dualtape.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "dualtape"},
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"index": [], "glossary": [], "limitations": [], "changelog": []}


def write_rules_page():
    """Write the page of rules from the table, and only if it changed, so that a rebuild stays incremental."""
    page = HERE / "reference" / "rules.md"
    text = f"# Rules\n\n{markdown_table(RULES)}"
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


write_rules_page()


def trim_code(app, doctree):
    """Drop the empty line that ends a doctest in Markdown: without it, the fence would be expected output."""
    for block in doctree.findall(nodes.literal_block):
        if block.children and block.rawsource:
            block.children = [nodes.Text(block.astext().rstrip())]
            block.rawsource = block.astext()


def setup(app):
    """Connect what this file adds to Sphinx."""
    app.connect("doctree-read", trim_code)
    return {"parallel_read_safe": True}
