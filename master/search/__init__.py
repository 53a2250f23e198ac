"""Filters of lists: Lucene text to a tree, the tree checked against the fields of a list, and that to SQL."""
