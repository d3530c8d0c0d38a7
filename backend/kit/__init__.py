"""Small things that rooms share and that know no room: list pages, a side process, addresses."""
