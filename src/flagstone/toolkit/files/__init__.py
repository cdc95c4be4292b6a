"""Files below a root that nothing can leave: the only way to touch a path that came from somebody else.

No path is ever followed through a link, and none is joined as text: every step is opened from the folder before it.
What is not here: rendering (``toolkit.templating``), git, and the folders that the settings themselves name.
"""

from __future__ import annotations

from flagstone.toolkit.files.claims import claimed_folder, remove_unclaimed
from flagstone.toolkit.files.entries import Entry
from flagstone.toolkit.files.globs import GlobSet
from flagstone.toolkit.files.paths import split_path
from flagstone.toolkit.files.root import Root

__all__ = ["Entry", "GlobSet", "Root", "claimed_folder", "remove_unclaimed", "split_path"]
