"""One module per verb of the command line: parse, call, print. `screen`, `choose` and `page` are what they share."""
