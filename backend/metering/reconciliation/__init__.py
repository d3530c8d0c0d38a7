"""Reconciliation: a provider's invoice or usage export against what was metered.

``formats`` reads an export, ``metered`` what it is held against, ``matching`` and ``causes``
compare the two without any I/O, ``store`` keeps imports and what people make of the differences.
"""
