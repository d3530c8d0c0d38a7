"""Pure rules of price: money, periods, charges, rating. No I/O, no framework."""
