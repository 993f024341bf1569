# Sourced by ./run: builds into build/, or into build-asan/ with the sanitizers.

BUILD_DIR=${WA_BUILD_DIR:-$ROOT/build}

build_options() {
  case $BUILD_DIR in
    *-asan) echo -Db_sanitize=address,undefined -Db_lundef=false ;;
    *-marked) echo -Dmarked_steps=true ;;
  esac
}

# Two builds of one folder never run at once. The stacks of a test run use what was built before the first of them.
build_all() {
  [ -z "${WA_TEST_DIR:-}" ] || return 0
  mkdir -p "$BUILD_DIR" && [ -w "$BUILD_DIR" ] || die "$BUILD_DIR belongs to somebody else"
  (
    flock 8
    if [ ! -e "$BUILD_DIR/build.ninja" ]; then
      # shellcheck disable=SC2046 # several words on purpose
      meson setup "$BUILD_DIR" "$ROOT" $(build_options) >"$BUILD_DIR/setup.log" 2>&1 || {
        tail -n 20 "$BUILD_DIR/setup.log" >&2
        exit 1
      }
    fi
    ninja -C "$BUILD_DIR" -j "$(nproc)" >"$BUILD_DIR/build.out" 2>&1 || {
      awk '/^FAILED:|ERROR:/ { shown = 1 } shown && ++lines <= 60' "$BUILD_DIR/build.out" >&2
      exit 1
    }
  ) 8>"$BUILD_DIR/lock" || die "the build failed (above)"
}

build_format() {
  local files
  packages_install "$PACKAGES_FORMAT"
  mapfile -t files < <(find common services tools tests -name node_modules -prune -o -name '*.[ch]' -print)
  case ${1:-} in
    '') clang-format -i "${files[@]}" ;;
    --check) clang-format --dry-run --Werror "${files[@]}" ;;
    *) die_usage "fmt knows --check only" ;;
  esac
}
