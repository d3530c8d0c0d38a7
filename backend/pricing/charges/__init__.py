"""What a plan's charges make of a quantity: kinds of charge, which applies, and when. Pure."""
