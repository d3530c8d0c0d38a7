"""One file a page; each says its route, its title and what it loads."""
