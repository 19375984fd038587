/**
 * Small commands of the platform's in a dyno: telling its processes to stop, reading who listens.
 *
 * What they are is the tenant's business no less than what the app is: its config vars are the environment of every command
 * in its container. So the programs are named by their place in the system, which a dyno can't write to; what would make
 * them read or load something else is set to nothing (`-p` has bash ignore start-up files and functions of the
 * environment); and whatever happens, they have a deadline.
 */
import type { Engine, RunResult } from '../engine/engine.js'

const quiet = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  BASH_ENV: '',
  LD_PRELOAD: '',
  LD_LIBRARY_PATH: '',
  LD_AUDIT: '',
}

type Deadline = { readonly commandTimeoutMs: number }

/** SIGTERM to all processes of the dyno, and before it SIGHUP where they had a terminal: a shell at one ignores SIGTERM. */
export function tellToStop(
  engine: Engine,
  containerId: string,
  { commandTimeoutMs }: Deadline,
  options: { readonly hangUp: boolean },
): Promise<RunResult> {
  const script = options.hangUp ? 'kill -s HUP -- -1; kill -s TERM -- -1' : 'kill -s TERM -- -1'
  return inDyno(engine, containerId, ['/usr/bin/bash', '-p', '-c', script], commandTimeoutMs)
}

/** The kernel's tables of TCP sockets, as text. */
export async function readSockets(
  engine: Engine,
  containerId: string,
  { commandTimeoutMs }: Deadline,
): Promise<string> {
  const command = ['/usr/bin/cat', '/proc/net/tcp', '/proc/net/tcp6']
  return (await inDyno(engine, containerId, command, commandTimeoutMs)).stdout
}

function inDyno(
  engine: Engine,
  containerId: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<RunResult> {
  return engine.run(containerId, { command, env: quiet, timeoutMs })
}
