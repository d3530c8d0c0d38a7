"""Plan of a customer: its subscription, its own prices, its contract and its coupons."""
