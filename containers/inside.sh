#!/bin/sh
# Run a command under hpcprov inside an Apptainer image that has no hpcprov of its own:
#
#     containers/inside.sh step.sif ./model config.nml
#     srun -n 4 containers/inside.sh --nv step.sif ./model config.nml
#
# Options before the image go to `apptainer exec`. The launcher is one static program: it runs in any image. Where the
# image has no Python with hpcprov, the record has the launcher's own facts; `hpcprov settle` outside adds which image it
# was. Paths with `:` or `,` cannot be bound by Apptainer.
set -eu
launcher=$(command -v hpcprov) || { echo "inside.sh: hpcprov is not on the PATH" >&2; exit 127; }
store=${HPCPROV_DIR:-$PWD/.hpcprov}
case $store in /*) ;; *) store=$PWD/$store ;; esac
mkdir -p "$store"

# Apptainer's options that take a value take it in the next word, so what follows them is not the image yet.
count=0 wanted=
for word in "$@"; do
  if [ -n "$wanted" ]; then wanted=
  else
    case $word in
      -B | --bind | --env | --env-file | -H | --home | --mount | -o | --overlay | -S | --scratch | -W | --workdir | \
        --pwd | --cwd | --add-caps | --drop-caps | --security | --network | --network-args | --fusemount) wanted=1 ;;
      -*) ;;
      *) break ;;
    esac
  fi
  count=$((count + 1))
done
[ "$count" -lt $# ] || { echo "usage: inside.sh [apptainer exec's options] IMAGE COMMAND..." >&2; exit 2; }

# Turn the words round once: options first, then ours, the image, the launcher and the command.
total=$# at=0
while [ "$at" -lt "$total" ]; do
  if [ "$at" -eq "$count" ]; then
    set -- "$@" --bind "$launcher:/usr/local/bin/hpcprov:ro" --bind "$store" --env "HPCPROV_DIR=$store" "$1" \
      /usr/local/bin/hpcprov exec --
  else
    set -- "$@" "$1"
  fi
  shift
  at=$((at + 1))
done
exec apptainer exec "$@"
