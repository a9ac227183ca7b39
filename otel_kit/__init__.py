"""One line in a service, and every hop to and from it is understood."""
