/** The header a finished build writes before its layers: untrusted text from a container, checked field by field. */
import type { ProcessTypes } from '../model/procfile.js'

export interface ResultLayer {
  readonly name: string
  readonly path: string
  readonly key: string
  readonly isNew: boolean
  /** False: kept for the next build only, no part of the image. */
  readonly isLaunch: boolean
  readonly bytes: number
}

export interface ResultHeader {
  readonly buildpacks: readonly string[]
  readonly processTypes: ProcessTypes
  readonly addOns: readonly string[]
  readonly layers: readonly ResultLayer[]
  readonly cacheChanged: boolean
  readonly appBytes: number
  /** Sentences for the pusher once the build is done. */
  readonly notes: readonly string[]
}

type Json = Readonly<Record<string, unknown>>

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}

function texts(value: unknown, pattern: RegExp): string[] {
  return Array.isArray(value) ? value.filter((v): v is string => typeof v === 'string' && pattern.test(v)) : []
}

/** Throws a sentence when the header makes no sense; unknown fields are ignored. `maxBytes` is for all of it together. */
export function parseResultHeader(line: string, maxBytes: number): ResultHeader {
  const header = object(parseLine(line))
  const layers = (Array.isArray(header.layers) ? header.layers : []).map(parseLayer)
  if (layers.length > 20) throw new Error('the build made more than 20 layers')
  // Layers may have one path: together they are its tree.
  for (const [index, { name }] of layers.entries())
    if (layers.slice(0, index).some((other) => other.name === name))
      throw new Error(`the build made layer ${name} twice`)
  const appBytes = sizeOf(header.app_bytes, 'app')
  const totalBytes = layers.reduce((sum, layer) => sum + layer.bytes, appBytes)
  if (totalBytes > maxBytes)
    throw new Error(`the build made ${totalBytes} bytes, more than the ${maxBytes} allowed (PAAS_BUILD_DISK)`)
  return {
    buildpacks: (Array.isArray(header.buildpacks) ? header.buildpacks : [])
      .map((b) => object(b).name ?? b)
      .filter((name): name is string => typeof name === 'string' && isText(name))
      .slice(0, 20)
      .map((name) => name.slice(0, 200)),
    processTypes: parseProcessTypes(object(header.process_types)),
    addOns: texts(header.addons, /^[a-z0-9-]{1,60}(:[a-z0-9-]{1,60})?$/).slice(0, 20),
    layers,
    cacheChanged: object(header.cache).changed === true,
    appBytes,
    notes: texts(header.notes, /^[^\r\n]{1,500}$/).slice(0, 20),
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new Error('the build ended without a readable result', { cause: error })
  }
}

function parseLayer(value: unknown): ResultLayer {
  const layer = object(value)
  const { name, path, key } = layer
  // A layer's description is kept beside it as <name>.json, its list of files as <name>.list.
  if (typeof name !== 'string' || !/^[a-z][a-z0-9_.-]{0,40}$/.test(name) || /\.(json|list)$/.test(name))
    throw new Error('the build names a layer in an unusable way')
  if (typeof path !== 'string' || !isBelowApp(path)) throw new Error(`the build puts layer ${name} outside /app`)
  if (typeof key !== 'string' || !/^([0-9a-f]{64}|none)$/.test(key))
    throw new Error(`the build's layer ${name} has no key`)
  return {
    name,
    path,
    key,
    isNew: layer.new === true,
    isLaunch: layer.launch !== false,
    bytes: layer.new === true ? sizeOf(layer.bytes, `layer ${name}`) : 0,
  }
}

function isBelowApp(path: string): boolean {
  const parts = path.split('/')
  return /^app\/[A-Za-z0-9._/-]{1,200}$/.test(path) && !parts.some((part) => part === '' || /^\.+$/.test(part))
}

function sizeOf(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new Error(`the build's ${what} has no size`)
  return value
}

function parseProcessTypes(types: Json): ProcessTypes {
  return Object.fromEntries(
    Object.entries(types).filter(
      (entry): entry is [string, string] =>
        /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(entry[0]) && typeof entry[1] === 'string' && isText(entry[1]),
    ),
  )
}

/** Says something, and can be stored: PostgreSQL's text holds no NUL. */
function isText(value: string): boolean {
  return value.trim() !== '' && !value.includes('\0')
}
