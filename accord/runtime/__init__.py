"""Runtime: everything stateful about running a stage."""
