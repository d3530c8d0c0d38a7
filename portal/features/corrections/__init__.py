"""Corrections: an operator amends or voids one event, or previews what late events would change.

Owns the form and the two previews. Does not own the list of an event's corrections
(``shared.events``). A quarter hour is the tenant's usage slot, a period is a billing period.
"""
