# Sourced by ./run, and by the run scripts of tests for npm_install: Node.js and npm packages. Needs ROOT alone, but for node_find.

NODE_MAJOR=20
NODE='' # a Node.js that is new enough; empty when there is none

node_is_new() {
  local version
  version=$("$1" --version 2>/dev/null) || return 1
  version=${version#v}
  [ "${version%%.*}" -ge "$NODE_MAJOR" ]
}

# Sets NODE: this machine's, or where that is older, the one that the npm package `node` brings.
node_find() {
  local own=$ROOT/build/node
  [ -z "$NODE" ] || return 0
  packages_install "$PACKAGES_NODE"
  NODE=$(command -v node)
  node_is_new "$NODE" && return 0
  NODE=$own/node_modules/node/bin/node
  node_is_new "$NODE" && return 0
  mkdir -p "$own"
  say "Installing Node.js $NODE_MAJOR (this machine's is older)"
  (cd "$own" && npm install --no-save --no-fund --no-audit "node@$NODE_MAJOR" >npm.log 2>&1) || true
  node_is_new "$NODE" || {
    tail -n 5 "$own/npm.log" >&2
    NODE=''
    return 1
  }
}

# alone COMMAND...: one process at a time, whatever it builds: two stacks may start at once, and the packages are everybody's.
alone() {
  mkdir -p "$ROOT/build"
  (
    flock 7
    "$@"
  ) 7>"$ROOT/build/npm.lock"
}

# npm_install FOLDER: what its lock file names, when that is not there yet.
npm_install() {
  alone npm_install_alone "$1"
}

npm_install_alone() {
  local stamp=$1/node_modules/.installed-for log
  cmp -s "$1/package-lock.json" "$stamp" && return 0
  log=$(mktemp)
  if (cd "$1" && npm ci --ignore-scripts --omit=dev >"$log" 2>&1); then
    cp "$1/package-lock.json" "$stamp"
    rm -f "$log"
    return 0
  fi
  tail -n 5 "$log" >&2
  rm -f "$log"
  return 1
}
