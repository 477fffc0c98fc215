"""Studies: many runs, each in a folder of its own.

A `Point` is one experiment of a study (`mdl.studies.points`); `mdl.studies.grid` makes them from one file and
the values that a person wants to compare, `mdl.studies.several` from several files.
`mdl.studies.engine.run_points` runs what is not done yet, several at a time, and
`mdl.studies.measurements.measure` does the same for functions that are no runs. Both can be broken off at any
moment and called again: what is done is not repeated.
"""
