/**
 * Settings are given to docker/up once and kept for the next time, in a file of NAME=VALUE lines that people may edit too.
 * The scripts docker/up and docker/down have put its lines into the environment already, wherever the environment didn't
 * say otherwise; here what is in force is written back, and what changed is put into words.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { ConfigEnv } from '../server/config.js'
import { settingsTable } from '../server/settings.js'

/** Set for one run, by tests: not for keeping. */
const passing = new Set(['PAAS_FAILPOINT'])
/** Read by the command line, by docker/engine or by this file, and so no settings of the platform. */
const others = /^PAAS_(API_KEY|API_URL|APP|SETTINGS_FILE|ENGINE_[A-Z_]+|TEST_[A-Z_]+)$/

export type Settings = Readonly<Record<string, string>>

export function parseKept(text: string): Settings {
  const pairs = text.split('\n').map((line) => /^(PAAS_[A-Z_]+)=(.*)$/.exec(line.trim()))
  return Object.fromEntries(pairs.flatMap((found) => (found?.[1] ? [[found[1], found[2] ?? '']] : [])))
}

/** Read by set-up alone, and so not among the control plane's. */
const setUpOnly = ['PAAS_DEBIAN_MIRROR']

/** Where they are kept; docker/settings says the same. */
export function settingsFileOf(instance: string, env: ConfigEnv = process.env): string {
  return env.PAAS_SETTINGS_FILE || `/etc/paas/${instance}.env`
}

/** The settings that the environment gives a value; a line break has no place in the file. */
export function settingsIn(env: ConfigEnv): Settings {
  const names = [...settingsTable().map((setting) => setting.name), ...setUpOnly]
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = env[name]?.trim()
      if (value === undefined || value === '' || passing.has(name)) return []
      if (/[\r\n]/.test(value)) throw new Error(`${name} has a line break in it.`)
      return [[name, value]]
    }),
  )
}

/** A line for each setting that is other than it was. */
export function describeChanges(before: Settings, now: Settings): string[] {
  const fallback = new Map(settingsTable().map((setting) => [setting.name, setting.fallback]))
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort()
  return names
    .filter((name) => before[name] !== now[name])
    .map((name) => {
      const was = before[name] === undefined ? '' : ` (was ${shown(name, before[name])})`
      const value = now[name]
      return value === undefined
        ? `${name} is back at its default, ${fallback.get(name) || 'empty'}${was}`
        : `${name}=${shown(name, value)}${was}`
    })
}

/** A password in an address is nobody's business. */
function shown(name: string, value: string): string {
  return name === 'PAAS_DATABASE_URL' ? value.replace(/:[^:@/]*@/, ':…@') : value
}

/** Variables that look like settings and are none: most likely misspelt. */
export function unknownSettings(env: ConfigEnv): string[] {
  const known = new Set([...settingsTable().map((setting) => setting.name), ...setUpOnly])
  return Object.keys(env)
    .filter((name) => name.startsWith('PAAS_') && !known.has(name) && !others.test(name))
    .sort()
}

export function readKeptSettings(file: string): Settings {
  try {
    return parseKept(readFileSync(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

/** Writes the settings in force; no file where all of them are defaults. */
export function keepSettings(file: string, settings: Settings): void {
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  if (lines.length === 0) {
    rmSync(file, { force: true })
    return
  }
  mkdirSync(path.dirname(file), { recursive: true })
  const head =
    '# Settings of docker/up, kept for its next run; what its environment says wins. See docs/operating.md.\n'
  writeFileSync(`${file}.new`, head + lines.join(''), { mode: 0o600, flush: true })
  chmodSync(`${file}.new`, 0o600)
  renameSync(`${file}.new`, file)
}
