#!/bin/sh
# Run a command under hpcprov inside an Apptainer image that has no hpcprov of its own:
#
#     containers/inside.sh step.sif ./model config.nml
#     APPTAINER_NV=1 APPTAINER_BIND=/scratch srun -n 4 containers/inside.sh step.sif ./model config.nml
#
# Options of `apptainer exec` are given by its environment variables. The launcher is one static program: it runs in any
# image. Where the image has no Python with hpcprov, the record has the launcher's own facts, and `hpcprov settle`,
# outside, adds which image it was. Paths with `:` or `,` cannot be bound by Apptainer.
set -eu
[ $# -ge 2 ] || { echo "usage: inside.sh IMAGE COMMAND [ARGUMENT...]" >&2; exit 2; }
launcher=$(command -v hpcprov) || { echo "inside.sh: hpcprov is not on the PATH" >&2; exit 127; }
store=${HPCPROV_DIR:-$PWD/.hpcprov}
case $store in /*) ;; *) store=$PWD/$store ;; esac
mkdir -p "$store"
image=$1
shift
export HPCPROV_DIR="$store" APPTAINERENV_HPCPROV_DIR="$store"
exec apptainer exec --bind "$launcher:/usr/local/bin/hpcprov:ro" --bind "$store" "$image" \
  /usr/local/bin/hpcprov exec -- "$@"
