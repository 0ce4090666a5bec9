"""Images that are too large for the memory: in files of raw samples, of which parts are read and written."""
