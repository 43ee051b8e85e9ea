"""The page of `mafnet explore`: each video beside its attention, served here or as a folder."""
