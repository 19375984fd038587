/** Whether this machine's kernel makes interfaces of the kind macvlan, found by making one and removing it again. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { bridgeNameOf } from './host-firewall.js'

const run = promisify(execFile)

let known: Promise<boolean> | undefined

/** `parent` is a bridge of ours; the answer is the same for all of them, so the first is asked only. */
export function supportsMacvlan(owner: string, parent: string): Promise<boolean> {
  known ??= probe(bridgeNameOf(owner, 'probe'), parent)
  return known
}

async function probe(name: string, parent: string): Promise<boolean> {
  const ip = (...args: readonly string[]) => run('ip', ['link', ...args], { timeout: 10_000 })
  // Left by a control plane that died right here.
  await ip('del', name).catch(() => {})
  try {
    await ip('add', name, 'link', parent, 'type', 'macvlan', 'mode', 'bridge')
    await ip('del', name)
    return true
  } catch {
    return false
  }
}
