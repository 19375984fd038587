import { command } from '../../command.js'
import { printProperties } from '../../output.js'

export const status = command({
  name: 'status',
  description: 'show how the platform is',
  details: 'Ends with exit code 1 when the platform is not well, or does not answer.',
  examples: ['status'],
  run({ api }) {
    return api.get<Record<string, unknown>>('/health', { anonymous: true })
  },
  print(health, { config }) {
    printProperties({ Platform: config.apiOrigin, ...flatten(health) })
  },
})

function flatten(value: Readonly<Record<string, unknown>>, prefix = ''): Record<string, string> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, part]) => {
      const isObject = typeof part === 'object' && part !== null && !Array.isArray(part)
      if (isObject) return Object.entries(flatten(part as Record<string, unknown>, `${prefix}${name}.`))
      const text = Array.isArray(part) ? part.join(', ') : String(part)
      return text === '' ? [] : [[prefix + name, text]]
    }),
  )
}
