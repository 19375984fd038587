/**
 * Closes the machine itself to the containers of some bridges: what listens on the host's own addresses, and link-local
 * addresses such as a cloud's metadata service, and what is meant for our other networks. The way to the host is ours to
 * close, for the engine only keeps bridges apart from each other. Rules live in two chains of our own per owner, so that setting them again replaces them and nothing else.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface FirewallRules {
  /** Names the chains; one per platform on the machine. */
  readonly owner: string
  /** Host interfaces of the bridges to close in. */
  readonly bridges: readonly string[]
  /** TCP ports of the host that stay open to them: the router's public ones. */
  readonly openPorts: readonly number[]
  /** Ranges that nothing from these bridges is led to: those of all our networks. */
  readonly closedRanges: readonly string[]
}

interface Chain {
  readonly name: string
  readonly from: 'INPUT' | 'DOCKER-USER'
  readonly rules: readonly (readonly string[])[]
}

function ownerHash(owner: string): string {
  return createHash('sha256').update(owner).digest('hex').slice(0, 8)
}

/** At most 15 characters, as an interface name must be. */
export function bridgeNameOf(owner: string, purpose: string): string {
  return `p${ownerHash(owner)}${purpose}`.slice(0, 15)
}

/** Link-local, where most clouds have theirs, and two that have it elsewhere; the last answers names too, on port 53. */
const metadataServices = [
  ['169.254.0.0/16'],
  ['100.100.100.200/32'],
  ['168.63.129.16/32', '-p', 'tcp', '--dport', '80'],
  ['168.63.129.16/32', '-p', 'tcp', '--dport', '32526'],
]

function chains(rules: FirewallRules): Chain[] {
  const hash = ownerHash(rules.owner)
  const ports = rules.openPorts.map((port) => ['-p', 'tcp', '--dport', String(port), '-j', 'RETURN'])
  return [
    {
      name: `PAAS-IN-${hash}`,
      from: 'INPUT',
      rules: [
        ['-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED', '-j', 'RETURN'],
        // Where the host itself is the resolver.
        ['-p', 'udp', '--dport', '53', '-j', 'RETURN'],
        ['-p', 'tcp', '--dport', '53', '-j', 'RETURN'],
        ...ports,
        ['-j', 'DROP'],
      ],
    },
    {
      name: `PAAS-FW-${hash}`,
      from: 'DOCKER-USER',
      // The machine has no way to a private network, and would send what is meant for one out to its own gateway.
      rules: [...rules.closedRanges.map((range) => [range]), ...metadataServices].map((to) => [
        '-d',
        ...to,
        '-j',
        'DROP',
      ]),
    },
  ]
}

async function iptables(...args: readonly string[]): Promise<boolean> {
  try {
    await run('iptables', ['-w', '5', ...args], { timeout: 20_000 })
    return true
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string }
    if (code === 'ENOENT')
      throw new Error('iptables is not installed; dynos could reach what listens on this machine', { cause: error })
    if (/Permission denied|must be root/.test(stderr ?? ''))
      throw new Error('iptables may not be used; dynos could reach what listens on this machine', { cause: error })
    return false
  }
}

/** Sets the rules; safe to call again at any time. Throws a sentence when the machine has no usable iptables. */
export async function ensureFirewall(rules: FirewallRules): Promise<void> {
  for (const chain of chains(rules)) {
    const isThere = await iptables('-n', '-L', chain.name)
    if (!isThere) await iptables('-N', chain.name)
    const wanted = chain.rules.map((rule) => rule.join(' '))
    if (!isThere || !(await hasExactly(chain))) {
      await iptables('-F', chain.name)
      for (const rule of chain.rules)
        if (!(await iptables('-A', chain.name, ...rule)))
          throw new Error(`iptables refused a rule of ${chain.name}: ${wanted.join('; ')}`)
    }
    for (const bridge of rules.bridges) {
      const jump = ['-i', bridge, '-j', chain.name]
      if (!(await iptables('-C', chain.from, ...jump))) await iptables('-I', chain.from, '1', ...jump)
    }
  }
}

async function hasExactly(chain: Chain): Promise<boolean> {
  const { stdout } = await run('iptables', ['-w', '5', '-S', chain.name], { timeout: 20_000 })
  if (stdout.split('\n').filter((line) => line.startsWith('-A ')).length !== chain.rules.length) return false
  for (const rule of chain.rules) if (!(await iptables('-C', chain.name, ...rule))) return false
  return true
}

/** Takes the chains and all jumps to them away. */
export async function removeFirewall(rules: FirewallRules): Promise<void> {
  for (const chain of chains(rules)) {
    for (const bridge of rules.bridges) while (await iptables('-D', chain.from, '-i', bridge, '-j', chain.name));
    await iptables('-F', chain.name)
    await iptables('-X', chain.name)
  }
}
