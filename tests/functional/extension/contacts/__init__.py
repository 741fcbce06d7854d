"""The people of a job: a kind of child that test_extension.py adds."""
