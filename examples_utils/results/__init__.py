"""Records of variants, the log folder that holds them, and the files and tables made of them."""
