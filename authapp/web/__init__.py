"""The pages: what a browser sees of the rules. Together with the factory, all that knows Flask."""
