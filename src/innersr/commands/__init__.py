"""Work of the commands, one function each, which is given the parsed options.

Every function raises InputError for a wrong option before anything is written, ImageFileError or CheckpointError for a
file that cannot be read or written, and InnersrError where memory runs out or a loss is no longer a number.
"""
