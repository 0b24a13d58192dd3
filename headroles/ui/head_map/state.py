"""The session keys of the Head map that no other page uses."""

from __future__ import annotations

from headroles.ui.app.keys import Keys

key = Keys(__name__)
# widget keys
PAIR_MODEL = key("pair_model", None)
"""The second model, with which the first is compared on a role."""
SEARCH = key("search", "")
"""What the table of all heads is searched for."""
PICTURE = key("picture")
"""The role whose map is saved as a picture."""
PLACE_ROLE = key("place_role")
"""The role whose two kinds of text are compared."""

PROFILE_LAYER = key("profile_layer", None)
"""The layer whose heads' offset profiles are shown; None for all layers."""

begin = key.begin
