"""Reports on all jobs, as tables for spreadsheets."""
