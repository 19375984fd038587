/** Config vars: an app's own environment, whole in every release. */
import { invalid } from './errors.js'

export type ConfigVars = Readonly<Record<string, string>>
/** `null` removes a var. */
export type ConfigVarsChange = Readonly<Record<string, string | null>>

const keyPattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
const maxTotalBytes = 64 * 1024

/** Names that the platform sets on every dyno; setting them would have no effect or break the dyno. */
const platformNames = new Set(['DYNO', 'PORT'])
/** JavaScript would take it for something else. */
const unusableName = '__proto__'

/** Returns the merged set; throws `invalid_params` naming the key at fault. */
export function mergeConfigVars(current: ConfigVars, change: ConfigVarsChange): ConfigVars {
  const merged: Record<string, string> = { ...current }
  for (const [key, value] of Object.entries(change)) {
    if (value === null) {
      delete merged[key]
      continue
    }
    if (!keyPattern.test(key) || key === unusableName)
      throw invalid(
        `Config var name '${key.slice(0, 64)}' must be letters, digits and underscores, and not start with a digit.`,
      )
    if (platformNames.has(key))
      throw invalid(`Config var ${key} is set by the platform on every dyno; choose another name.`)
    if (value.includes('\0')) throw invalid(`The value of config var ${key} must not contain a NUL character.`)
    merged[key] = value
  }
  const total = Object.entries(merged).reduce((sum, [key, value]) => sum + key.length + Buffer.byteLength(value), 0)
  if (total > maxTotalBytes)
    throw invalid('Config vars may take 64 kB in all; remove some or move data to a file or an add-on.')
  return Object.fromEntries(Object.entries(merged).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** "Set GREETING, LIMIT config vars" and its like, as release descriptions read. */
export function describeConfigChange(change: ConfigVarsChange): string {
  const set = Object.entries(change).flatMap(([key, value]) => (value === null ? [] : [key]))
  const unset = Object.entries(change).flatMap(([key, value]) => (value === null ? [key] : []))
  const part = (verb: string, keys: readonly string[]) =>
    keys.length === 0 ? [] : [`${verb} ${keys.join(', ')} config var${keys.length === 1 ? '' : 's'}`]
  return [...part('Set', set), ...part('Remove', unset)].join(', ').slice(0, 300)
}
