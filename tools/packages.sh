# Sourced by ./run: installs the Debian packages that are missing, and only those.

# What is needed to build and run: how to see that it is there, and the package that brings it.
PACKAGES_RUN='
program gcc gcc
header stdlib.h libc6-dev
program meson meson
program ninja ninja-build
program pkg-config pkg-config
library libevent libevent-dev
library hiredis libhiredis-dev
library msgpack|msgpack-c libmsgpack-dev|libmsgpack-c-dev
library libpq libpq-dev
library libcurl libcurl4-openssl-dev
library jansson libjansson-dev
library libcrypto libssl-dev
library libqrencode libqrencode-dev
library cmocka libcmocka-dev
program psql postgresql-client
program /usr/lib/postgresql/*/bin/postgres postgresql
program redis-server redis-server
program curl curl
file /etc/ssl/certs/ca-certificates.crt ca-certificates
'
PACKAGES_NODE='
program node nodejs
program npm npm
'
PACKAGES_FUZZ='
program clang clang
file /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer*.a libclang-rt-dev
'
PACKAGES_FAULTS='
file /usr/lib/*/faketime/libfaketimeMT.so.1 libfaketime
'
PACKAGES_VALGRIND='
program valgrind valgrind
'
PACKAGES_FORMAT='
program clang-format clang-format
'

package_is_there() {
  local kind=$1 what=$2 name
  for name in ${what//|/ }; do
    case $kind in
      program) [[ $name == /* ]] && compgen -G "$name" >/dev/null || command -v "$name" >/dev/null ;;
      header) [ -e "/usr/include/$name" ] ;;
      file) compgen -G "$name" >/dev/null ;;
      library) command -v pkg-config >/dev/null && pkg-config --exists "$name" ;;
    esac && return 0
  done
  return 1
}

package_is_known() {
  [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]
}

# package_choose A|B: the one that this release has.
package_choose() {
  local name
  for name in ${1//|/ }; do
    if package_is_known "$name"; then
      echo "$name"
      return
    fi
  done
  echo "${1%%|*}"
}

packages_missing() {
  local kind what package
  while read -r kind what package; do
    [ -z "$kind" ] || package_is_there "$kind" "$what" || echo "$package"
  done <<<"$1"
}

as_root() {
  if [ "$EUID" -eq 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

# The packages of Postgres and Redis would start a server of their own; this machine's are not ours to start.
apt_install_quietly() {
  as_root env DEBIAN_FRONTEND=noninteractive sh -s -- "$@" <<'SH'
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
fi
install() {
  apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" </dev/null
}
case " $* " in
  *" postgresql "*)
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
      install postgresql-common
      sed -i 's/^#* *create_main_cluster *=.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
    fi ;;
esac
install "$@"
SH
}

# packages_install LIST...: LIST is one of the tables above.
packages_install() {
  local missing package unknown='' names=() log
  missing=$(packages_missing "$(printf '%s\n' "$@")")
  [ -n "$missing" ] || return 0
  missing=$(echo $missing)
  command -v apt-get >/dev/null || die "these Debian packages are needed and this is no Debian: $missing"
  [ "$EUID" -eq 0 ] || command -v sudo >/dev/null ||
    die "packages are missing and there is no sudo here; as root: apt-get install ${missing//|/ or }"
  as_root true || die "sudo does not let us; as root: apt-get install ${missing//|/ or }"
  say "Installing ${missing//|/ or }"
  log=$(mktemp)
  as_root apt-get update -o DPkg::Lock::Timeout=300 >"$log" 2>&1 </dev/null ||
    say "apt-get update failed; trying with the package lists that are here"
  for package in $missing; do
    package=$(package_choose "$package")
    names+=("$package")
    package_is_known "$package" || unknown+=" $package"
  done
  if [ -n "$unknown" ]; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    die "no package source of this machine has:$unknown (see /etc/apt/sources.list and the network)"
  fi
  if ! apt_install_quietly "${names[@]}" >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install: ${names[*]} (its last words are above)"
  fi
  rm -f "$log"
  missing=$(packages_missing "$(printf '%s\n' "$@")")
  [ -z "$missing" ] || die "installed, but still not to be found: $(echo $missing)"
}
