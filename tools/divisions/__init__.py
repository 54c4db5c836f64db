"""Import real division codes: one street as a small file that a demo or a new site starts from."""
