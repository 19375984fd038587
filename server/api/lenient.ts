/**
 * Numbers and truths that clients write as strings. Heroku's own CLI sends some of its flags as they were typed
 * (`"expires_in": "60"`); such a field, and no other, is read as what it says before its schema judges it.
 */
import type { FastifyRequest } from 'fastify'

const truths = new Map<unknown, boolean>([
  ['true', true],
  ['false', false],
  ['1', true],
  ['0', false],
  [1, true],
  [0, false],
])

/** A `preValidation` hook for fields of the body that hold a whole number. What is none is left to the schema to refuse. */
export function readWholeNumbers(...fields: readonly string[]) {
  return readFields(fields, (value) => (typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value))
}

/** A `preValidation` hook for fields of the body that are true or false. */
export function readTruths(...fields: readonly string[]) {
  return readFields(fields, (value) => truths.get(value) ?? value)
}

function readFields(fields: readonly string[], read: (value: unknown) => unknown) {
  return async ({ body }: Pick<FastifyRequest, 'body'>): Promise<void> => {
    if (typeof body !== 'object' || body === null) return
    const record = body as Record<string, unknown>
    for (const field of fields) if (Object.hasOwn(record, field)) record[field] = read(record[field])
  }
}
