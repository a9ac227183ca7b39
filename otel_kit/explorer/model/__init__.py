"""From records to what a view draws: pure functions on the standard library, one idea a file.

`stitch` puts the traces of a saga on one axis as a `Story`; everything else reads that.
"""
