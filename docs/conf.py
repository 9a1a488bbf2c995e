"""The documentation site: `make docs` builds it into `docs/_build`, strictly and without the network."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

project = "Claimsmith"
author = "the Claimsmith authors"
copyright = "2026, the Claimsmith authors"  # noqa: A001 - Sphinx's own name

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "generated"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Claimsmith"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["site.css"]
html_css_files = ["site.css"]

myst_enable_extensions = ["colon_fence", "deflist"]
#: Headings get the anchors that a reader on the hosting site sees, so that one link works in both places.
myst_heading_anchors = 4
#: A link to a file that is not a page, such as a test, goes to the source.
myst_all_links_external = False

autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
