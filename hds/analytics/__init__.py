"""What brings people and how far they get: visits of one day, the steps of the funnel, and the sums that stay.

Nobody is recognised: a visitor is a hash with a salt that is gone with the day. No cookie, no stored address.
"""
