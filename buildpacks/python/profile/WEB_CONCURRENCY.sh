# WEB_CONCURRENCY, which gunicorn and uvicorn read: as many processes as have 256 MB each, at most 2 per core + 1.
# Read with builtins alone: every process started here delays every dyno.
__paas_web_concurrency() {
  local file bytes='' range cores=0 by_memory by_cores
  for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    [[ ! -r $file ]] || read -r bytes <"$file"
    [[ -z $bytes ]] || break
  done
  # 'max' and absurd numbers mean no limit.
  [[ $bytes =~ ^[0-9]{1,13}$ ]] || return 0
  export DYNO_RAM=$((bytes / 1048576))
  [[ ! -v WEB_CONCURRENCY ]] || return 0
  read -r range </sys/devices/system/cpu/online
  for file in ${range//,/ }; do ((cores += ${file#*-} - ${file%-*} + 1)); done
  by_memory=$((DYNO_RAM >= 256 ? DYNO_RAM / 256 : 1)) by_cores=$((cores * 2 + 1))
  export WEB_CONCURRENCY=$((by_memory < by_cores ? by_memory : by_cores))
}
__paas_web_concurrency
unset -f __paas_web_concurrency
