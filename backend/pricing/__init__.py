"""Pure rules of price: money, periods, charges, rating. No I/O, no framework.

Owns arithmetic on money, billing periods, kinds of charge, rating, the rules of credit and of
tax. Does not own where their arguments come from: for each rule a room reads its rows. Nothing
here reads a clock; instants are arguments.
"""
