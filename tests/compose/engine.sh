# Sourced by tests/compose/run: a Docker engine of the test's own, from Debian's packages, and what it leaves taken away. WORK is the
# test's folder.

ENGINE_PID=''
ENGINE_BRIDGE=wa-compose0
ENGINE_POOL=10.214.0.0/16
ENGINE_GUEST=10.213.0.1/24

# The engine's storage, networks and sockets are its own: one that this machine may have is not touched, but for the packet filter's
# chains, which engines share.
engine_start() {
  local others
  others=$(pgrep -x dockerd || true)
  [ -n "$others" ] || ENGINE_ALONE=yes
  ip link show "$ENGINE_BRIDGE" >/dev/null 2>&1 || ip link add "$ENGINE_BRIDGE" type bridge
  ip address replace "$ENGINE_GUEST" dev "$ENGINE_BRIDGE"
  setsid dockerd --host "unix://$WORK/docker.sock" --data-root "$WORK/engine" --exec-root "$WORK/exec" --pidfile "$WORK/dockerd.pid" \
    --bridge "$ENGINE_BRIDGE" --default-address-pool "base=$ENGINE_POOL,size=24" >"$WORK/dockerd.log" 2>&1 </dev/null &
  ENGINE_PID=$!
  export DOCKER_HOST=unix://$WORK/docker.sock
  local deadline=$((SECONDS + 60))
  until docker version >/dev/null 2>&1; do
    kill -0 "$ENGINE_PID" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ] || {
      tail -n 20 "$WORK/dockerd.log" >&2
      die "dockerd does not start (above)"
    }
    sleep 0.2
  done
}

engine_stop() {
  [ -n "$ENGINE_PID" ] || return 0
  local containers
  containers=$(docker ps --all --quiet 2>/dev/null || true)
  # shellcheck disable=SC2086 # several words on purpose
  [ -z "$containers" ] || docker rm --force $containers >/dev/null 2>&1 || true
  docker network prune --force >/dev/null 2>&1 || true
  kill -TERM "$ENGINE_PID" 2>/dev/null || true
  wait "$ENGINE_PID" 2>/dev/null || true
  ENGINE_PID=''
  ip link delete "$ENGINE_BRIDGE" 2>/dev/null || true
  [ "${ENGINE_ALONE:-no}" = no ] || filter_clean
  engine_unmount
}

# A build that was cut off may leave mounts behind, some a moment later than its engine.
engine_unmount() {
  local deadline=$((SECONDS + 20)) mounts
  while mounts=$(awk -v under="$WORK/" 'index($2, under) == 1 { print $2 }' /proc/mounts | sort -r) && [ -n "$mounts" ]; do
    xargs --no-run-if-empty umount --lazy <<<"$mounts" 2>/dev/null || true
    [ "$SECONDS" -lt "$deadline" ] || break
    sleep 0.2
  done
}

# The chains that dockerd made in the packet filter, and its rules that lead to them.
filter_clean() {
  iptables-save 2>/dev/null | grep -v -e DOCKER -e "$ENGINE_BRIDGE" -e ' br-[0-9a-f]\{12\} ' -e '10\.21[34]\.' | iptables-restore 2>/dev/null || true
}

# base_import: debian:trixie-slim as its makers make it: the smallest Debian, without manuals. Packages come from where this machine's do,
# and who is trusted here besides Debian's list is trusted there.
base_import() {
  local mirror root=$WORK/trixie proxy
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 'debian$')
  debootstrap --variant=minbase trixie "$root" "$mirror" >"$WORK/debootstrap.log" 2>&1 || {
    tail -n 20 "$WORK/debootstrap.log" >&2
    die "debootstrap failed (above)"
  }
  proxy=$(apt-config dump Acquire | grep -E '^Acquire::https?::Proxy ' || true)
  [ -z "$proxy" ] || printf '%s\n' "$proxy" >"$root/etc/apt/apt.conf.d/01proxy"
  printf 'registry=%s\n' "$(npm config get registry)" >"$root/etc/npmrc"
  [ ! -d /usr/local/share/ca-certificates ] || cp -r /usr/local/share/ca-certificates "$root/usr/local/share/"
  printf 'path-exclude %s\n' '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*' >"$root/etc/dpkg/dpkg.cfg.d/slim"
  rm -rf "$root"/usr/share/{doc,man,locale}/* "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
  tar -C "$root" --numeric-owner -c . | docker import --change 'CMD ["bash"]' - debian:trixie-slim >/dev/null
  rm -rf "$root"
}

# images_build: what the official images are to docker-compose.yml, under the tags that it names.
images_build() {
  local name tag
  for name in postgres redis adminer prometheus; do
    tag=$(sed -nE "s#^    image: ((prom/)?$name:[^ ]+)\$#\\1#p" docker-compose.yml)
    docker build --tag "$tag" "tests/compose/standins/$name" >"$WORK/standin.log" 2>&1 || {
      tail -n 20 "$WORK/standin.log" >&2
      die "the stand-in for $tag could not be built (above)"
    }
  done
}

# plugin_fetch: the newer `docker compose`, of Debian 13, as a program in WORK/compose-v2.
plugin_fetch() {
  docker run --rm --volume "$WORK:/out" debian:trixie-slim bash -c '
    cd /tmp && apt-get update -qq && apt-get download -qq docker-compose && dpkg -x docker-compose_*.deb x &&
    cp x/usr/libexec/docker/cli-plugins/docker-compose /out/compose-v2' >/dev/null 2>&1 || die "Debian 13's docker-compose could not be had"
}
