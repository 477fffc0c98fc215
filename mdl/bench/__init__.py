"""``mdl bench``: what each way to hide and to open costs on this machine, step by step and end to end."""
