"""What staff see and do: a module and blueprint per feature, joined under /admin in blueprint.py."""
