"""A tick box. Reflex's own brings an empty label with it, which hides the one around it."""

from reflex_components_radix.themes.components.checkbox import Checkbox

tick_box = Checkbox.create
