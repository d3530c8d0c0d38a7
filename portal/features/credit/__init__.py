"""Credit: a tenant's prepaid wallet with its grants, top-ups, automatic rule and ledger.

For the tenant, and for an operator who acts for a customer. Owns the page's forms and rows; what
a balance is, the API says.
"""
