"""From summed usage and plan versions to the lines of a period's bill. Pure.

``rated_period`` is the way in. Adjustments, coupons, contracts and yearly fees are its parts.
Nothing is rounded before the line.
"""
