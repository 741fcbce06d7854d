"""The import of jobs from a CSV file: of a spreadsheet, or of another tracker."""
