"""The only place that knows Cal.com: its addresses, its API v2, its webhooks and their signature.

Nothing here needs a request or a database; what Cal.com says is parsed once, into the classes of `payloads`
(webhooks) and `answers` (API), and trusted from there on.
"""
