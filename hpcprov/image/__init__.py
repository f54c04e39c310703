"""Container images read for people and labelled: `hpcprov image`. What a SIF file is, `capture.container.sif` knows."""
