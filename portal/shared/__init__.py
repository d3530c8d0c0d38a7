"""What several features show alike: events, charges, the forecast, the customer to act for.

A part belongs here once a second feature needs it; what one feature needs stays in its folder.
The parts know no feature and not each other.
"""
