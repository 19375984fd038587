/** app.json: what an app's repository asks the platform for. Unknown keys are ignored; comments are taken. */
import { type HealthChecks, noHealthChecks, parseHealthChecks } from './health-check.js'
import { findJsonFault } from './json-fault.js'

export interface ManifestVar {
  readonly value: string | undefined
  readonly description: string
  readonly required: boolean
  readonly generate: boolean
}

export interface AppManifest {
  readonly env: Readonly<Record<string, ManifestVar>>
  readonly formation: Readonly<
    Record<string, { readonly quantity: number | undefined; readonly size: string | undefined }>
  >
  readonly buildpacks: readonly string[]
  readonly addOns: readonly { readonly plan: string; readonly as: string | undefined }[]
  readonly scripts: Readonly<Record<string, string>>
  readonly healthChecks: HealthChecks
}

export const emptyManifest: AppManifest = {
  env: {},
  formation: {},
  buildpacks: [],
  addOns: [],
  scripts: {},
  healthChecks: noHealthChecks,
}

export type ManifestResult =
  | { readonly ok: true; readonly manifest: AppManifest }
  | { readonly ok: false; readonly reason: string }

type Json = Readonly<Record<string, unknown>>

/** A malformed file is an error with line and column; a key of the wrong kind is an error that names it. */
export function parseManifest(text: string): ManifestResult {
  const bare = stripComments(text.replace(/^\uFEFF/, ''))
  let document: unknown
  try {
    document = JSON.parse(bare)
  } catch {
    return { ok: false, reason: `app.json is not valid JSON at ${place(bare, findJsonFault(bare))}.` }
  }
  if (!isObject(document)) return { ok: false, reason: 'app.json must be an object: { … }.' }
  try {
    return { ok: true, manifest: toManifest(document) }
  } catch (error) {
    return { ok: false, reason: `app.json: ${(error as Error).message}` }
  }
}

function toManifest(document: Json): AppManifest {
  return {
    env: mapEntries(section(document, 'env'), toVar),
    formation: mapEntries(section(document, 'formation'), (entry, key) => {
      if (!isObject(entry)) throw new Error(`formation.${key} must be an object with quantity and size.`)
      const quantity =
        typeof entry.quantity === 'number' && entry.quantity >= 0 ? Math.floor(entry.quantity) : undefined
      return { quantity, size: typeof entry.size === 'string' ? entry.size : undefined }
    }),
    buildpacks: list(document, 'buildpacks').map((b) => {
      const url = isObject(b) ? b.url : b
      if (typeof url !== 'string') throw new Error('each of buildpacks must be an object with a url.')
      return url
    }),
    addOns: list(document, 'addons').map((a) => {
      const plan = isObject(a) ? a.plan : a
      if (typeof plan !== 'string') throw new Error('each of addons must be a plan name or an object with a plan.')
      return { plan, as: isObject(a) && typeof a.as === 'string' ? a.as : undefined }
    }),
    scripts: mapEntries(section(document, 'scripts'), (script) => (typeof script === 'string' ? script : '')),
    healthChecks: parseHealthChecks(document.healthchecks),
  }
}

function toVar(entry: unknown): ManifestVar {
  if (!isObject(entry))
    return { value: entry === null ? undefined : String(entry), description: '', required: true, generate: false }
  return {
    value: entry.value === undefined || entry.value === null ? undefined : String(entry.value),
    description: typeof entry.description === 'string' ? entry.description : '',
    required: entry.required !== false,
    generate: entry.generator === 'secret',
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function section(document: Json, key: string): Json {
  const value = document[key]
  if (value === undefined || value === null) return {}
  if (!isObject(value)) throw new Error(`${key} must be an object.`)
  return value
}

function list(document: Json, key: string): readonly unknown[] {
  const value = document[key]
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new Error(`${key} must be a list.`)
  return value
}

function mapEntries<T>(source: Json, map: (value: unknown, key: string) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(source).map(([key, value]) => [key, map(value, key)]))
}

/** Blanks out comments and trailing commas outside strings, so that positions stay right. */
function stripComments(text: string): string {
  const blanked = text.replace(/"(?:\\.|[^"\\\n])*"?|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g, (match) =>
    match.startsWith('"') ? match : match.replace(/[^\n]/g, ' '),
  )
  return blanked.replace(/"(?:\\.|[^"\\\n])*"?|,(?=\s*[}\]])/g, (match) => (match === ',' ? ' ' : match))
}

function place(text: string, position: number): string {
  const before = text.slice(0, position).split('\n')
  return `line ${before.length}, column ${(before[before.length - 1] ?? '').length + 1}`
}
