/** The header a finished build writes before its layers: untrusted text from a container, checked field by field. */
import type { ProcessTypes } from '../model/procfile.js'

export interface ResultLayer {
  readonly name: string
  readonly path: string
  readonly key: string
  readonly isNew: boolean
  /** False: kept for the next build only, no part of the image. */
  readonly isLaunch: boolean
  /** The same for every app that asks for it, such as a language runtime. */
  readonly isShared: boolean
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

/** Throws a sentence when the header makes no sense; unknown fields are ignored. */
export function parseResultHeader(line: string, maxBytes: number): ResultHeader {
  const header = object(JSON.parse(line))
  const size = (value: unknown, what: string) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
      throw new Error(`the build's ${what} has no size`)
    if (value > maxBytes)
      throw new Error(`the build's ${what} is ${value} bytes, more than the ${maxBytes} allowed (PAAS_BUILD_DISK)`)
    return value
  }
  const layers = (Array.isArray(header.layers) ? header.layers : []).map((value): ResultLayer => {
    const layer = object(value)
    const { name, path, key } = layer
    if (typeof name !== 'string' || !/^[a-z][a-z0-9_.-]{0,40}$/.test(name))
      throw new Error('the build names a layer in an unusable way')
    if (typeof path !== 'string' || !/^app\/[A-Za-z0-9._/-]{1,200}$/.test(path) || path.includes('..'))
      throw new Error(`the build puts layer ${name} outside /app`)
    if (typeof key !== 'string' || !/^([0-9a-f]{64}|none)$/.test(key))
      throw new Error(`the build's layer ${name} has no key`)
    return {
      name,
      path,
      key,
      isNew: layer.new === true,
      isLaunch: layer.launch !== false,
      isShared: layer.shared === true,
      bytes: layer.new === true ? size(layer.bytes, `layer ${name}`) : 0,
    }
  })
  if (layers.length > 20) throw new Error('the build made more than 20 layers')
  const processTypes = Object.fromEntries(
    Object.entries(object(header.process_types)).filter(
      (entry): entry is [string, string] =>
        /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(entry[0]) && typeof entry[1] === 'string',
    ),
  )
  const buildpacks = (Array.isArray(header.buildpacks) ? header.buildpacks : []).map((b) =>
    String(object(b).name ?? b).slice(0, 200),
  )
  return {
    buildpacks,
    processTypes,
    addOns: texts(header.addons, /^[a-z0-9-]{1,60}(:[a-z0-9-]{1,60})?$/),
    layers,
    cacheChanged: object(header.cache).changed === true,
    appBytes: size(header.app_bytes, 'app'),
    notes: texts(header.notes, /^[^\r\n]{1,500}$/).slice(0, 20),
  }
}
