"""Prepaid credit by its rules: grants, burn order, what a call costs, plan credit. Pure."""
