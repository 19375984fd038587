/** Reads what a running HAProxy holds. The parsers are pure; the reply formats are HAProxy's, quoted where they matter. */
import type { Layout } from './layout.js'
import type { RouterPaths } from './paths.js'

/** One life of an HAProxy process, and the configuration it started from. */
export interface ProcessInfo {
  readonly pid: number
  /** Differs between two processes even where the pid is the same. */
  readonly identity: string
  readonly mark: string
}

export interface Observed {
  readonly layout: Layout
  /** Servers in maintenance; they are not in the layout. */
  readonly parked: ReadonlySet<string>
  /** Certificate files in the list. */
  readonly certificates: ReadonlySet<string>
}

/** `show info`: `Name: value` lines. */
export function parseInfo(reply: string): ProcessInfo {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(reply)?.[1] ?? ''
  const pid = Number(field('Pid'))
  if (!Number.isInteger(pid) || pid <= 0) throw new Error('HAProxy gave no process id')
  return { pid, identity: `${pid}@${field('Start_time_sec')}`, mark: field('description') }
}

/** `show map <file>`: `0x55d0c8a2f0 key value` lines. */
export function parseMap(reply: string): Map<string, string> {
  const entries = new Map<string, string>()
  for (const line of reply.split('\n')) {
    const [, key, value] = /^0x[0-9a-f]+ (\S+) (.*)$/.exec(line) ?? []
    if (key !== undefined && value !== undefined) entries.set(key, value)
  }
  return entries
}

/** Bits of `srv_admin_state` that keep a server out of the rotation: maintenance and drain, forced or inherited. */
const outOfRotation = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20

interface ServerRow {
  /** `slot_7/web.1_ab12`, as commands name it. */
  readonly server: string
  /** `10.0.0.2:3000`. */
  readonly address: string
  readonly isParked: boolean
}

/** `show servers state`: a version line, `# names`, then a line a server. Dynos' servers only. */
function serverRows(reply: string): ServerRow[] {
  const lines = reply.split('\n')
  const names = (lines.find((line) => line.startsWith('# ')) ?? '').slice(2).split(' ')
  const column = (row: readonly string[], name: string) => row[names.indexOf(name)] ?? ''
  return lines
    .slice(1)
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' '))
    .filter((row) => column(row, 'be_name').startsWith('slot_'))
    .map((row) => ({
      server: `${column(row, 'be_name')}/${column(row, 'srv_name')}`,
      address: `${column(row, 'srv_addr')}:${column(row, 'srv_port')}`,
      isParked: (Number(column(row, 'srv_admin_state')) & outOfRotation) !== 0,
    }))
}

/** The servers in the rotation with their addresses, and those that are out of it. */
export function parseServers(reply: string): { servers: Map<string, string>; parked: Set<string> } {
  const rows = serverRows(reply)
  return {
    servers: new Map(rows.filter(({ isParked }) => !isParked).map(({ server, address }) => [server, address])),
    parked: new Set(rows.filter(({ isParked }) => isParked).map(({ server }) => server)),
  }
}

/** Where a server is, in the rotation or out of it. */
export function parseAddress(reply: string, server: string): string | undefined {
  return serverRows(reply).find((row) => row.server === server)?.address
}

/** `show ssl crt-list <file>`: a comment, then `file filters` lines. */
export function parseCertList(reply: string): Set<string> {
  const files = reply.split('\n').map((line) => line.split(' ', 1)[0] ?? '')
  return new Set(files.filter((file) => file.startsWith('/')))
}

/** `show stat <backend> 4 -1`: CSV with a `# ` header; the sessions a server has, waiting ones included. */
export function parseSessions(reply: string, server: string): number {
  const [header = '', ...rows] = reply.split('\n')
  const names = header.replace(/^# /, '').split(',')
  for (const row of rows) {
    const cells = row.split(',')
    const cell = (name: string) => cells[names.indexOf(name)] ?? ''
    if (cell('svname') === server) return Number(cell('scur') || 0) + Number(cell('qcur') || 0)
  }
  return 0
}

/** `show proc` at the master: pids of the current process and of those on their way out. */
export function parseProcesses(reply: string): { current: number[]; leaving: number[] } {
  const found = { current: [] as number[], leaving: [] as number[] }
  let section: number[] | undefined
  for (const line of reply.split('\n')) {
    if (line.startsWith('# workers')) section = found.current
    else if (line.startsWith('# old workers')) section = found.leaving
    else if (line.startsWith('#')) section = undefined
    else {
      const pid = Number(/^(\d+)\s+worker\b/.exec(line)?.[1])
      if (pid > 0) section?.push(pid)
    }
  }
  return found
}

/** Reads one process through `query`, which sends it a command. */
export async function observe(query: (command: string) => Promise<string>, paths: RouterPaths): Promise<Observed> {
  const hosts = parseMap(await query(`show map ${paths.hostsMap}`))
  const slots = parseMap(await query(`show map ${paths.slotsMap}`))
  const { servers, parked } = parseServers(await query('show servers state'))
  const certificates = parseCertList(await query(`show ssl crt-list ${paths.certList}`))
  return { layout: { hosts, slots, servers }, parked, certificates }
}
