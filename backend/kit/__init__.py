"""Small things that rooms share and that know no room: pages of lists, a side process, addresses."""
