"""Small things that rooms share and that know no room: loops, backoff, caches, pages, addresses."""
