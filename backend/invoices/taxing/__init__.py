"""The tax of an invoice: by agreement, by the catalog's rates, or as a tax service answers.

The tax date is the day (in the customer's time zone) on which the billed period closes.
"""
