/**
 * Where Debian packages come from: PAAS_DEBIAN_MIRROR, else the mirror this Debian machine uses itself, else Debian's
 * own. On another distribution the machine's mirrors hold other packages, and Debian's own is taken.
 */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

/** The release every image of ours is made of. */
export const suite = 'trixie'

const defaultMirror = 'http://deb.debian.org/debian'
const probeTimeoutMs = 5_000

interface SourceEntry {
  readonly uri: string
  readonly suites: readonly string[]
}

/** The mirror's address without a slash at its end. `wanted` is the setting, empty for none. */
export async function findDebianMirror(wanted: string, aptFolder = '/etc/apt'): Promise<string> {
  if (wanted !== '') {
    if (!/^https?:\/\/[^\s]+$/.test(wanted)) {
      throw new Error(`PAAS_DEBIAN_MIRROR is '${wanted}'; it must be an address such as ${defaultMirror}`)
    }
    return wanted.replace(/\/+$/, '')
  }
  const entries = parseSources(await readSources(aptFolder))
  // Other vendors' repositories also end in /debian; only a mirror of Debian has a suite of updates.
  const mirror = entries.find(
    (e) => /^https?:.*\/debian$/.test(e.uri) && e.suites.some((s) => /^[a-z]+-updates$/.test(s)),
  )
  return mirror?.uri ?? defaultMirror
}

/** Entries for binary packages in either of apt's two formats; `#` comments and options are skipped. */
export function parseSources(texts: readonly string[]): SourceEntry[] {
  const entries: SourceEntry[] = []
  const add = (uris: string, suites: string) => {
    for (const uri of words(uris)) entries.push({ uri: uri.replace(/\/+$/, ''), suites: words(suites) })
  }
  for (const text of texts) {
    const plain = text.replace(/^\s*#.*$/gm, '')
    for (const match of plain.matchAll(/^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/gm)) add(match[1] ?? '', match[2] ?? '')
    for (const stanza of text.replace(/^#.*\n?/gm, '').split(/\n\s*\n/)) {
      const field = (name: string) => new RegExp(`^${name}:((?:.*\\n?)(?:[ \\t].*\\n?)*)`, 'im').exec(stanza)?.[1] ?? ''
      if (words(field('Types')).includes('deb') && !/^no$/i.test(field('Enabled').trim()))
        add(field('URIs'), field('Suites'))
    }
  }
  return entries
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

async function readSources(aptFolder: string): Promise<string[]> {
  const read = (file: string) => readFile(file, 'utf8').catch(() => '')
  const folder = path.join(aptFolder, 'sources.list.d')
  const names = (await readdir(folder).catch(() => [] as string[])).filter((n) => /\.(list|sources)$/.test(n)).sort()
  return Promise.all([path.join(aptFolder, 'sources.list'), ...names.map((n) => path.join(folder, n))].map(read))
}

/**
 * The lines of a sources.list for the mirror: the release, its updates and its security updates. The latter two are
 * left out where the mirror doesn't have them, unless `probe` is off (behind a proxy we can't ask for ourselves).
 */
export async function sourceLines(mirror: string, probe: boolean): Promise<string[]> {
  const security = mirror.replace(/\/[^/]*$/, '/debian-security')
  const optional = [
    { uri: mirror, suite: `${suite}-updates` },
    { uri: security, suite: `${suite}-security` },
  ]
  const there = await Promise.all(
    optional.map(async (o) => !probe || (await answers(`${o.uri}/dists/${o.suite}/InRelease`))),
  )
  return [{ uri: mirror, suite }, ...optional.filter((_, index) => there[index])].map(
    (s) => `deb ${s.uri} ${s.suite} main`,
  )
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(probeTimeoutMs) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
