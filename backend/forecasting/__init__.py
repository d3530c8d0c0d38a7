"""Forecasts of spend: daily usage continued in many sampled futures, each rated as a bill.

Owns history by day, fits, futures, calibration, backtests and the stored forecast. Does not own
what a period costs (``spend``), through which each future is rated. Days are the tenant's own; a
forecast is of the billing period that holds its making.
"""
