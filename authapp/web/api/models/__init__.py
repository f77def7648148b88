"""What the API takes and answers: the models that validate a request, and that the documentation is made from."""
