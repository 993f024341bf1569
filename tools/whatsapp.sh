# Sourced by ./run: the WhatsApp worker, and the WhatsApp double.

WORKER_DIR=$ROOT/services/gateway/baileys
DOUBLE_DIR=$ROOT/tests/whatsapp

worker_install() {
  node_find && npm_install_alone "$WORKER_DIR"
}

# Without its packages the stack still runs: sessions with engine baileys are refused then.
worker_prepare() {
  alone worker_install && node_find ||
    { NODE='' && say "The WhatsApp worker cannot be had now (above): sessions with engine baileys are refused."; }
}

double_prepare() {
  local ready=$DATA/whatsapp/ready.json pid command deadline=$((SECONDS + START_TIMEOUT_S))
  [ -n "$NODE" ] || die "the WhatsApp double needs Node.js and npm"
  npm_install "$DOUBLE_DIR" || die "the npm packages of tests/whatsapp cannot be had"
  mkdir -p -m 700 "$DATA/whatsapp"
  ports_choose whatsapp-1 whatsapp-admin
  rm -f "$ready"
  # Once for a moment: it makes the certificates and the root key that the gateways are told of.
  mapfile -t command < <(double_command "$ready")
  "${command[@]}" >"$DATA/log/whatsapp-1.log" 2>&1 </dev/null &
  pid=$!
  until [ -s "$ready" ]; do
    kill -0 "$pid" 2>/dev/null || die_with_log "the WhatsApp double ended" whatsapp-1
    [ "$SECONDS" -lt "$deadline" ] || { kill -KILL "$pid" && die_with_log "the WhatsApp double did not come up" whatsapp-1; }
    sleep 0.1
  done
  kill -KILL "$pid" # what it made is written whole before it says that it is ready
  wait "$pid" || true
}

# double_info NAME FILE: a value out of what it says when it is ready.
double_info() {
  sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" "$2"
}

# A word a line.
double_command() {
  printf '%s\n' "$NODE" "$DOUBLE_DIR/server.mjs" --port "$(port_of whatsapp-1)" --admin-port "$(port_of whatsapp-admin)" \
    --data "$DATA/whatsapp" --ready-file "$1"
}

double_spec() {
  local ready=$DATA/whatsapp/ready.json
  spec_process whatsapp-1 0 TERM 10
  double_command "$ready" | sed 's/^/arg /'
}

# What tells a gateway of its worker, and of the WhatsApp that it speaks to.
worker_env() {
  [ -n "$NODE" ] || return 0
  printf 'env WA_BAILEYS_DIR=%s\n' "${WA_BAILEYS_DIR:-$WORKER_DIR}"
  [ "$1" = gateway ] || return 0
  printf 'env WA_NODE=%s\n' "${WA_NODE:-$NODE}"
  [ "$DOUBLE" = yes ] || return 0
  local ready=$DATA/whatsapp/ready.json
  printf 'env WA_WHATSAPP_WS_URL=%s\nenv WA_WHATSAPP_CA_FILE=%s\nenv WA_WHATSAPP_ROOT_KEY=%s\n' \
    "$(double_info ws_url "$ready")" "$(double_info ca_file "$ready")" "$(double_info root_key "$ready")"
}
