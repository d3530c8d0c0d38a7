"""How calls and models fared: counted in memory, added to the database, read again.

Owns counts and times of calls by the hour. Does not own usage, which is billed (``metering``), nor
the health of upstreams (``upstreams``). What a process counted since it last added is lost when it
is killed: these are no bills. A tenant's call counts in the quarter hour in which it began, a
model's in the hour in which it ended.
"""
