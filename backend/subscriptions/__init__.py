"""Which plan version a tenant is on, when, and the contracts and coupons beside it.

Owns segments of subscriptions, billing periods and their anchor, contracts, and coupons. Does not
own plans (``catalog``) or what a period costs (``spend``).

A *period* is billed as one. A *segment* is a time of the subscription on the same terms. A
*stretch* is the part of a period in which one plan version applied. All begin and end at quarter
hours (UTC).
"""
