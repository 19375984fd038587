/**
 * The pieces that every schema is made of. A schema is validation, TypeScript type and OpenAPI text in one, so it is written
 * once, here or in the noun's own file.
 */
import Type, { type Static, type TProperties, type TSchema, type TUnsafe } from 'typebox'

/** An object without unknown fields: in a request they are refused, in a response they are dropped. */
export function strict<Properties extends TProperties>(properties: Properties, description?: string) {
  return Type.Object(properties, { additionalProperties: false, ...(description === undefined ? {} : { description }) })
}

export function nullable<Schema extends TSchema>(schema: Schema) {
  return Type.Union([schema, Type.Null()])
}

/** One of a few words. */
export function words<Word extends string>(...values: readonly Word[]): TUnsafe<Word> {
  return Type.Unsafe<Word>({ type: 'string', enum: [...values] })
}

/** An object of any names whose values are all alike. */
export function mapOf<Schema extends TSchema>(
  value: Schema,
  options: object = {},
): TUnsafe<Record<string, Static<Schema>>> {
  return Type.Unsafe<Record<string, Static<Schema>>>({ type: 'object', additionalProperties: value, ...options })
}

/** A field that other clients of the Platform API send and that means nothing here. */
export const ignored = Type.Optional(Type.Unknown({ description: 'Accepted and not used.' }))

export const id = Type.String({ format: 'uuid' })
export const instant = Type.String({ format: 'date-time' })
export const nullableString = Type.Unsafe<string | null>({ type: ['string', 'null'] })
export const nullableInstant = Type.Unsafe<string | null>({ type: ['string', 'null'] })
export const nullableInteger = Type.Unsafe<number | null>({ type: ['integer', 'null'] })
export const alwaysNull = Type.Null()

export const idAndName = strict({ id, name: Type.String() })
export const idAndEmail = strict({ id, email: Type.String() })
export const idOnly = strict({ id })

export const refusal = strict(
  {
    id: Type.String({ description: 'One of a closed list of error ids.' }),
    message: Type.String({ description: 'What is wrong and what to do next.' }),
    resource: Type.Optional(Type.String({ description: 'Of not_found: what was not found.' })),
  },
  'A refusal.',
)

/** What every route may answer besides its own. */
export const refusals = { '4xx': refusal, '5xx': refusal }

/** Responses of a list: whole, or a page of it with a `Next-Range` header. */
export function listOf<Schema extends TSchema>(item: Schema) {
  return { 200: Type.Array(item), 206: Type.Array(item), ...refusals }
}

/** `:app` of a path: an app's id or name. */
export const appParams = strict({ app: Type.String({ description: "An app's id or name." }) })

/** A path's parameters: the app and something of it. */
export function appParamsWith<Properties extends TProperties>(properties: Properties) {
  return strict({ app: Type.String({ description: "An app's id or name." }), ...properties })
}

export const text = Type.Unsafe<unknown>({ type: 'string' })
