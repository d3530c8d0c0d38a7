"""Which plan version a tenant is on, when, and what was agreed beside it: contracts and coupons.

Owns segments of subscriptions, billing periods and their anchor, contracts, and coupons. Does not
own plans (``catalog``) or what a period costs (``spend``).

A *period* is billed as one. A *segment* is a length of the subscription on the same terms. A
*stretch* is the part of a period in which one plan version applied. All begin and end at quarter
hours (UTC).
"""
