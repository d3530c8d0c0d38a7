"""Small things that rooms share and that know no room: loops, backoff, caches, pages, addresses.

What two rooms need and is about neither of them belongs here; what is about a thing belongs in
that thing's room.
"""
