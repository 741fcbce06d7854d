"""Imports: what an archive or a spreadsheet brings in, and what an undone one takes back."""
