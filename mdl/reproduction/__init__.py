"""The paper's figures as commands: each is run, drawn in the paper's form, and held to its expected shape.

A `Figure` (`mdl.reproduction.figure`) says what the paper claims, what is run, and what must show in it; all
are listed in `mdl.reproduction.catalogue`. `mdl.reproduction.command` runs them into a folder, and what was
measured there is not measured again.
"""
