"""Notifications: tells web, by webhook, what became of each order."""
