"""A local stand-in for Cal.com: API v2, signed webhooks, a booking page and a page where one plays the host.

Written from Cal.com's public contract alone and sharing no code with the site, so that one misreading of
that contract cannot pass on both sides. A development tool: never started in production.
"""
