"""Reconciliation: imports of a provider's usage, their discrepancies, drift and margin.

For the operator. Imports themselves are made by a command.
"""
