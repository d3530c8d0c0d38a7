"""The tax of an invoice: by agreement, by the catalog's rates, or as a tax service answers."""
