"""Reconciliation: a provider's invoice or usage export against what was metered.

``exports`` read a provider's file, ``metered`` the usage that it is compared with, ``matching``
compares the two without any I/O, ``store`` keeps imports and the notes on differences.
"""
