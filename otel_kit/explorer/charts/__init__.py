"""Figures: pure functions from what the model concluded to Plotly, in a light or dark palette."""
