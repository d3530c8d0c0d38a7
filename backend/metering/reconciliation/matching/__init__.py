"""A provider's numbers beside the metered ones, and likely causes of what differs. Pure.

Owns the comparison. Does not own either side's numbers (``exports``, ``metered``), nor what people
note on a difference (``store``). Days are the provider's, by its time zone.
"""
