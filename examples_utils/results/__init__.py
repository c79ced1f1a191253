"""Records of variants, the log folder that contains them, and the files and tables made of them."""
