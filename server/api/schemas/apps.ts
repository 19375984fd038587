import Type, { type Static } from 'typebox'
import {
  alwaysNull,
  id,
  idAndEmail,
  idAndName,
  ignored,
  instant,
  nullable,
  nullableInstant,
  nullableInteger,
  nullableString,
  strict,
  words,
} from './common.js'

export const appBody = strict({
  id,
  name: Type.String(),
  acm: Type.Boolean(),
  archived_at: alwaysNull,
  build_stack: idAndName,
  buildpack_provided_description: nullableString,
  create_status: words('complete'),
  created_at: instant,
  git_url: Type.String({ description: 'What `git remote add` takes.' }),
  internal_routing: alwaysNull,
  maintenance: Type.Boolean(),
  organization: alwaysNull,
  owner: idAndEmail,
  process_tier: words('production'),
  region: idAndName,
  released_at: nullableInstant,
  repo_size: nullableInteger,
  slug_size: Type.Unsafe<number | null>({ type: ['integer', 'null'], description: 'Bytes; null in lists.' }),
  space: alwaysNull,
  stack: idAndName,
  team: alwaysNull,
  updated_at: instant,
  web_url: Type.String({ description: 'Where the app answers.' }),
})
export type AppBody = Static<typeof appBody>

/** Clients name a region, a stack or a team by its name or by an object with one. */
const nameOrReference = Type.Union([
  Type.String({ maxLength: 100 }),
  strict({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) }),
  Type.Null(),
])
export type NameOrReference = Static<typeof nameOrReference>

export const createAppBody = nullable(
  strict({
    name: Type.Optional(nullable(Type.String({ maxLength: 100 }))),
    region: Type.Optional(nameOrReference),
    stack: Type.Optional(nameOrReference),
    space: Type.Optional(nameOrReference),
    team: Type.Optional(nameOrReference),
    organization: Type.Optional(nameOrReference),
    feature_flags: ignored,
    generation: ignored,
    internal_routing: ignored,
    locked: ignored,
    personal: ignored,
  }),
)

export const changeAppBody = strict({
  name: Type.Optional(Type.String({ maxLength: 100 })),
  maintenance: Type.Optional(Type.Boolean()),
  build_stack: Type.Optional(nameOrReference),
  stack: Type.Optional(nameOrReference),
})
