"""The pages: what is shown and clicked.  Ideas live in the model, drawings in the charts."""
