"""The catalogue: what can be booked, and the questions people ask."""
