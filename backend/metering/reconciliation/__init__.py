"""Reconciliation: a provider's invoice or usage export against what was metered.

``formats`` reads an export, ``metered`` the usage that it is compared with, ``matching`` and
``causes`` compare the two without any I/O, ``store`` keeps imports and the notes on differences.
"""
