#!/bin/sh
# The demo: BIN is the environment's bin directory, TERRAIN the elevation model that matplotlib's wheel carries.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PATH=$BIN:$PATH
mkdir -p "$here/out/.hpcprov" # a store further up would be found first
cd "$here/out"
show() {
    printf '\n$ %s\n' "$1"
}
show "mpiexec -n 4 hpcprov exec -- python flood.py"
mpiexec -n 4 hpcprov exec --name flood --note 'What stands in the valleys after an hour of rain?' --tag terrain=jacksboro \
    -- python "$here/flood.py" --terrain "$TERRAIN" --out .
show "hpcprov show last"
hpcprov show last
show "hpcprov hash flood.zarr flood.h5"
hpcprov hash flood.zarr flood.h5
cat <<END

max_depth has one signature in the Zarr store and in the HDF5 file: a signature is of the values, not of the bytes.
Now try:

  . $BIN/activate
  cd $here/out
  hpcprov runs                     every run so far
  hpcprov lineage flood.h5         what it was made of, and by what
  hpcprov dictionary flood.zarr    what is in it: units, smallest, largest, missing
  hpcprov report last              a page of this run, to open in a browser
  hpcprov rerun last               this run again: bit for bit the same?
  hpcprov show last --json         the record itself
  hpcprov exec -- YOUR COMMAND     your own
END
