"""What authapp is measured with: each module is a program of its own."""
