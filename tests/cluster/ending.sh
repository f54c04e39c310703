#!/bin/sh
# An application that writes its output and then ends as its first argument says; it tells that it has come so far by a
# file `ready.<start>.<rank>`.
rank=${SLURM_PROCID:-0}
[ "$rank" = 0 ] && echo "made before the end" >out.dat
: >"ready.${SLURM_RESTART_COUNT:-0}.$rank"
ulimit -c 0
case $1 in
  wait) exec sleep 600 ;;
  ignore) trap '' TERM && while :; do sleep 1; done ;;
  go) while [ ! -e go ]; do sleep 0.2; done ;;
  fail) [ "$rank" = 1 ] && exit 3 || exec sleep 600 ;;
  segv) [ "$rank" = 1 ] && kill -SEGV $$ || exec sleep 600 ;;
  greedy) exec "$PYTHON" -S -E -c 'a = []
while True: a.append(bytearray(1 << 20))' ;;
  parent) [ -n "$HPCPROV_RUN" ] && kill -9 "$PPID"; exit 0 ;;
esac
