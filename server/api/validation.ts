/** Says in a sentence what a request's body has wrong, naming the field. */
import type { FastifySchemaValidationError } from 'fastify/types/schema.js'

const kinds: Readonly<Record<string, string>> = {
  string: 'a string',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  null: 'null',
}

/** `updates[0].quantity` of `/updates/0/quantity`. */
function fieldOf(instancePath: string, name?: string): string {
  const parts = instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  if (name !== undefined) parts.push(name)
  return parts
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`), '')
    .slice(0, 120)
}

function wantedKinds(error: FastifySchemaValidationError): string[] {
  const { type } = error.params as { readonly type?: string | readonly string[] }
  return (type === undefined ? [] : typeof type === 'string' ? [type] : type).map((name) => kinds[name] ?? name)
}

/** An empty or missing body fails before any of its fields can. */
export function validationSentence(
  errors: readonly FastifySchemaValidationError[],
  part = 'body',
  body: unknown = undefined,
): string {
  const unknown = errors.find((e) => e.keyword === 'additionalProperties')
  if (unknown) {
    const { additionalProperty } = unknown.params as { readonly additionalProperty?: string }
    return `Unknown field '${fieldOf(unknown.instancePath, additionalProperty)}' in the request ${part}; leave it out.`
  }
  const missing = errors.find((e) => e.keyword === 'required')
  if (missing) {
    const { missingProperty } = missing.params as { readonly missingProperty?: string }
    return `The field '${fieldOf(missing.instancePath, missingProperty)}' is missing from the request ${part}.`
  }
  const badName = errors.find((e) => e.keyword === 'propertyNames')
  if (badName) {
    const { propertyName } = badName.params as { readonly propertyName?: string }
    return `'${propertyName?.slice(0, 120)}' is not a name that '${fieldOf(badName.instancePath)}' can have.`
  }
  const inner = errors.filter((e) => e.keyword !== 'anyOf')
  // Where one of several forms was nearly met, what it lacks says more than that it isn't another.
  const first = inner.find((e) => e.keyword !== 'type') ?? inner[0]
  if (!first) return `The request ${part} is not valid.`
  if (first.instancePath === '' && (body === undefined || body === null))
    return 'The request has no body; send one as JSON, with the header Content-Type: application/json.'
  const subject = first.instancePath === '' ? `The request ${part}` : `The field '${fieldOf(first.instancePath)}'`
  if (first.keyword === 'type') {
    const wanted = inner.filter((e) => e.instancePath === first.instancePath).flatMap(wantedKinds)
    return `${subject} must be ${[...new Set(wanted)].join(' or ')}.`
  }
  const { allowedValues } = first.params as { readonly allowedValues?: readonly unknown[] }
  if (allowedValues) return `${subject} must be one of ${allowedValues.join(', ')}.`
  return `${subject} ${first.message ?? 'is not valid'}.`
}
