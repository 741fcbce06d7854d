"""How fast JobTracker is, beside what could be had without a framework: see README.md here."""
