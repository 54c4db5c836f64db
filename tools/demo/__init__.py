"""A whole street on one machine: invented people, real division codes, real servers and devices."""
