"""One folder per service; ``python -m demo.services.<name>`` runs it."""
