"""How costs are divided. Pure."""
