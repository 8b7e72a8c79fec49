"""API v2 as Cal.com's public documentation tells it."""
