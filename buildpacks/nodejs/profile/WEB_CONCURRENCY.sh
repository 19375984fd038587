# WEB_CONCURRENCY, for apps that start one process per it: as many as have WEB_MEMORY MB each. Read with builtins alone:
# every process started here delays every dyno.
__paas_web_concurrency() {
  local file bytes='' available=512
  for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    [[ ! -r $file ]] || read -r bytes <"$file"
    [[ -z $bytes ]] || break
  done
  # 'max' and absurd numbers mean no limit.
  [[ ! $bytes =~ ^[0-9]{1,13}$ ]] || available=$((bytes / 1048576))
  export MEMORY_AVAILABLE="${MEMORY_AVAILABLE-$available}"
  export WEB_MEMORY="${WEB_MEMORY-$((MEMORY_AVAILABLE > 16384 ? 2048 : 512))}"
  [[ -z ${WEB_CONCURRENCY:-} ]] || return 0
  available=$((WEB_MEMORY > 0 ? MEMORY_AVAILABLE / WEB_MEMORY : 1))
  export WEB_CONCURRENCY=$((available < 1 ? 1 : available > 200 ? 1 : available))
}
__paas_web_concurrency
unset -f __paas_web_concurrency
