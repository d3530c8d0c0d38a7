"""The log of calls: how each of a tenant's calls went, for some days, for the tenant to look up.

Owns the entries, the bodies where an admin switched them on for an application, and how both are
written beside the calls and removed in time. Does not own usage: an entry may be missing, and
bills nothing.
A time is when the call began.
"""
