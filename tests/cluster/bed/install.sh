#!/usr/bin/env bash
# The real programs that the tests of clusters use, on Debian, as root: Slurm with accounting, MPI, Apptainer, podman,
# Charliecloud, both module systems. What is there already is left alone; about two minutes on a bare machine.
#
#     tests/cluster/bed/install.sh
#
# No service is started, and none stays running. /opt/hpcprov-bed holds Lmod, which apt refuses beside Tcl's modules.
set -eEuo pipefail
HERE=$(dirname "$(readlink -f "$0")")
PRIVATE=/opt/hpcprov-bed POLICY=/usr/sbin/policy-rc.d
WORK=$(mktemp -d)
PACKAGES=(slurm-wlm slurmdbd mariadb-server munge libpmi0 libpmi2-0 libpmix2 openmpi-bin python3-mpi4py
  environment-modules tcl lua5.3 lua-filesystem lua-json lua-posix lua-term
  podman runc charliecloud-runtime squashfs-tools squashfuse busybox-static gcc libc6-dev openssl)
export DEBIAN_FRONTEND=noninteractive

main() {
  [ "$(id -u)" = 0 ] || stop "must run as root"
  command -v apt-get >/dev/null || stop "knows only Debian's apt-get; install by hand: ${PACKAGES[*]} apptainer lmod"
  trap clean EXIT
  trap 'stop "line $LINENO failed: $BASH_COMMAND"' ERR
  keep_services_down
  install_packages
  link_pmix
  install_lmod
  install_apptainer
}

stop() {
  echo "install.sh: $1" >&2
  exit 1
}

clean() {
  rm -rf "$WORK"
  [ ! -e "$WORK.policy" ] || rm -f "$POLICY" "$WORK.policy"
}

# COMMAND...: silent when it succeeds, all of its output when it fails.
quietly() {
  "$@" >"$WORK/log" 2>&1 </dev/null || {
    cat "$WORK/log" >&2
    stop "failed: $*"
  }
}

# Debian's packages start their services; policy-rc.d forbids it while they are installed.
keep_services_down() {
  [ ! -e $POLICY ] || return 0
  touch "$WORK.policy"
  printf '#!/bin/sh\nexit 101\n' >$POLICY
  chmod 755 $POLICY
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ]; }

# The lists of packages are read once, when something is to be installed.
update() {
  [ ! -e "$WORK/updated" ] || return 0
  quietly apt-get update -qq
  touch "$WORK/updated"
}

install_packages() {
  local lacking=() name
  for name in "${PACKAGES[@]}"; do is_installed "$name" || lacking+=("$name"); done
  [ ${#lacking[@]} -gt 0 ] || return 0
  update
  quietly apt-get install -qy --no-install-recommends "${lacking[@]}"
}

# Slurm's plugin opens libpmix.so, which only the development package has.
link_pmix() {
  local folder
  for folder in /usr/lib/*/pmix2/lib; do
    [ -e "$folder/libpmix.so" ] || ln -s libpmix.so.2 "$folder/libpmix.so"
  done
}

# Lmod's package conflicts with the other one only by name: unpacked elsewhere, with its own paths put right, both work.
install_lmod() {
  local root=$PRIVATE/lmod
  [ ! -e "$root/usr/share/lmod/lmod/init/bash" ] && [ ! -e /usr/share/lmod/lmod/init/bash ] || return 0
  update
  (cd "$WORK" && quietly apt-get -o APT::Sandbox::User=root download lmod)
  rm -rf "$root.new" "$root"
  mkdir -p "$root.new"
  dpkg-deb -x "$WORK"/lmod_*.deb "$root.new"
  grep -rIlZE '/(usr/share|usr/lib|etc)/lmod' "$root.new" |
    xargs -0 sed -i -E "s#/(usr/share|usr/lib|etc)/lmod#$root/\1/lmod#g"
  mv "$root.new" "$root"
}

# Debian 12 has no Apptainer. That of Debian's unstable suite needs a later C library for two renamed functions alone;
# older_glibc.py points them at the old names. The suite is read into a private directory: nothing else comes from it.
# Its list is signed but runs out after a week, which a mirror that stands still would not survive.
install_apptainer() {
  ! command -v apptainer >/dev/null || return 0
  update
  if ! apt-get install -qqy --no-install-recommends apptainer >/dev/null 2>&1; then
    fetch_apptainer
    repack_apptainer
    quietly apt-get install -qy --no-install-recommends "$WORK/apptainer.deb"
  fi
  quietly apptainer --version
}

# The first address of Debian's own files that is not of the security archive, in either format of apt's sources.
mirror() {
  cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
    sed -nE 's/^(URIs:|deb( \[[^]]*\])?) +([^ ]+).*/\3/p' | grep -v security | head -n 1 || true
}

fetch_apptainer() {
  local from
  from=$(mirror)
  [ -n "$from" ] || stop "found no Debian mirror in /etc/apt"
  mkdir -p "$WORK"/apt/lists/partial "$WORK"/apt/cache/archives/partial
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $from sid main" >"$WORK/apt/sources.list"
  local sid=(-o "Dir::Etc::sourcelist=$WORK/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$WORK/apt/lists" -o "Dir::Cache=$WORK/apt/cache" -o APT::Sandbox::User=root
    -o Acquire::Check-Valid-Until=false)
  quietly apt-get "${sid[@]}" update -qq
  (cd "$WORK" && quietly apt-get "${sid[@]}" download -qq apptainer)
}

repack_apptainer() {
  local root=$WORK/apptainer
  dpkg-deb -R "$WORK"/apptainer_*.deb "$root"
  quietly python3 "$HERE/older_glibc.py" "$root/usr/bin/apptainer" "$root"/usr/lib/*/apptainer/bin/starter \
    "$root"/usr/lib/*/apptainer/lib/offsetpreload.so
  sed -i -e '/^Depends:/s/containernetworking-plugins, //' -e '/^Depends:/s/uidmap, //' \
    -e 's/libc6 (>= 2\.[0-9]*)/libc6 (>= 2.36)/' -e 's/^\(Version: .*\)$/\1+bookworm1/' \
    -e '/^\(Static-\)\?Built-Using:/d' "$root/DEBIAN/control"
  (cd "$root" && awk '{print $2}' DEBIAN/md5sums | xargs -d '\n' md5sum >"$WORK/md5sums" && mv "$WORK/md5sums" DEBIAN)
  quietly dpkg-deb -Zgzip -z1 --root-owner-group -b "$root" "$WORK/apptainer.deb"
}

main
