"""The application on a Ray cluster. Needs the extra `ray`.

Serve's controller and proxies import modules of this package, so it imports nothing itself.
"""
