"""What a document was: those that it replaced, as long as they are in the trash."""
