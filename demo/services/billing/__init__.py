"""Billing: charges the customer through the bank, on command; asynchronous, with aiokafka."""
