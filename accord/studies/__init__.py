"""Studies: many runs of the same stages that differ in one thing, and what follows from them.

A study writes a run file, lets the pipeline run it, and reads the artifacts. It trains nothing
itself, so that everything in it can be resumed, opened and checked like any other run.
"""
