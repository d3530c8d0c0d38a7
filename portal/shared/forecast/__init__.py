"""Where the running period's spend is heading: figures, chart, and the plans compared.

Asks the API for the forecast; computes none. Days are those of the billing period's time zone.
"""
