"""Test clocks: sample tenants that live a year of bills in a minute.

Owns the advance of a clock: from one instant at which something is due to the next, at each doing
what the worker does for all others as time goes by. Which time it is for a tenant, and that
queries for all leave these out, is ``backend.accounts.clocks``. ``at`` is always a clock's time;
real time plays no part but in how old the usage is that is still to be counted.
"""
