"""Events: every metered call, filtered, paged, followed live, and downloaded as CSV.

Owns the filters and their form in an address. Does not own how an event is worded
(``shared.events``). Filters are by the time of use.
"""
