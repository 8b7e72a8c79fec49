"""`make bench`: rates beside a floor measured in the same run, memory, and start times. Nothing here is asserted."""
