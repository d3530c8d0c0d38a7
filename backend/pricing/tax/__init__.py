"""Tax on a bill: which rates of the catalog a customer pays, and what they come to. Pure."""
