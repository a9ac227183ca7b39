"""Starts the services, lets orders flow, reports what came of them, and ends what it started."""
