"""What is for sale: models, plans in immutable versions, and rates of tax.

Owns reading and writing ``catalog.yaml``, publishing it, and which models and plans are on sale.
Does not own what a plan costs for a given usage (``pricing``) or who is subscribed
(``subscriptions``).

A plan version never changes once it is published; time here is the instant of publishing.
"""
