"""Forecasts of spend: daily usage continued in many sampled futures, each rated as a bill."""
