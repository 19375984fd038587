/** What a pushed tree says about itself in its own files: Procfile and app.json, read from git's objects. */
import { randomBytes } from 'node:crypto'
import type { Source } from '../build/source.js'
import type { Account } from '../model/account.js'
import type { App } from '../model/app.js'
import { type AppManifest, emptyManifest, parseManifest } from '../model/app-manifest.js'
import { parseProcfile, type ProcessTypes } from '../model/procfile.js'
import type { Platform } from '../platform.js'
import { currentConfigVars, setConfigVars } from './releases.js'

export interface Project {
  readonly procfile: ProcessTypes | undefined
  readonly manifest: AppManifest
  readonly hasSubmodules: boolean
}

/** Throws a sentence for the author where one of the files can't be read. */
export async function readProject(source: Source): Promise<Project> {
  const files = await source.readFiles(['Procfile', 'app.json', '.gitmodules'])
  const procfileText = files.get('Procfile')
  const manifestText = files.get('app.json')
  const procfile = procfileText === undefined ? undefined : parseProcfile(procfileText)
  if (procfile?.ok === false) throw new Error(procfile.reason)
  const manifest = manifestText === undefined ? undefined : parseManifest(manifestText)
  if (manifest?.ok === false) throw new Error(manifest.reason)
  return {
    procfile: procfile?.types,
    manifest: manifest?.manifest ?? emptyManifest,
    hasSubmodules: files.has('.gitmodules'),
  }
}

/**
 * Sets the config vars that app.json gives values to and that the app doesn't have. Returns a sentence when a required one
 * has no value.
 */
export async function applyManifestVars(
  platform: Platform,
  account: Account,
  app: App,
  manifest: AppManifest,
  write: (text: string) => void,
): Promise<string | undefined> {
  const present = await currentConfigVars(platform.db, app.id)
  const lacking = Object.entries(manifest.env).filter(([name]) => present[name] === undefined)
  const values: Record<string, string> = {}
  const missing: string[] = []
  for (const [name, wish] of lacking) {
    if (wish.generate) values[name] = randomBytes(32).toString('hex')
    else if (wish.value !== undefined) values[name] = wish.value
    else if (wish.required) missing.push(name)
  }
  // An add-on that the same push creates brings its own URL.
  const stillMissing = missing.filter((name) => !(name === 'DATABASE_URL' && manifest.addOns.length > 0))
  if (stillMissing.length > 0)
    return `app.json requires ${stillMissing.join(', ')}, which ${stillMissing.length === 1 ? 'has' : 'have'} no value. Set ${stillMissing.length === 1 ? 'it' : 'them'} and push again: paas config:set ${stillMissing.map((n) => `${n}=…`).join(' ')} --app ${app.name}`
  if (Object.keys(values).length > 0) {
    await setConfigVars(platform, account, app, values)
    write(`-----> Setting config vars from app.json: ${Object.keys(values).join(', ')}\n`)
  }
  return undefined
}
