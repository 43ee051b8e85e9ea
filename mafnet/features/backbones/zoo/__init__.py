"""One file for each network; the registry above names them."""
