import Type, { type Static } from 'typebox'
import { appParamsWith, id, idAndName, ignored, instant, nullable, strict, words } from './common.js'

const dynoState = words('starting', 'up', 'crashed', 'stopping', 'down', 'idle')

export const dynoBody = strict({
  id,
  name: Type.String(),
  app: idAndName,
  attach_url: Type.Unsafe<string | null>({
    type: ['string', 'null'],
    description:
      'Of a one-off dyno that was asked to be attached: where its terminal is, to be opened once, within a minute. A rendezvous:// address as Heroku has it, or a WebSocket (see the header paas-attach).',
  }),
  command: Type.String(),
  created_at: instant,
  failure: Type.Unsafe<string | null>({
    type: ['string', 'null'],
    description: 'Why it could not be started, while that is so.',
  }),
  release: strict({ id, version: Type.Integer() }),
  size: Type.String(),
  state: dynoState,
  type: Type.String(),
  updated_at: instant,
})
export type DynoBody = Static<typeof dynoBody>

export const formationBody = strict({
  id,
  app: idAndName,
  command: Type.String(),
  created_at: instant,
  dyno_size: idAndName,
  quantity: Type.Integer(),
  size: Type.String(),
  type: Type.String(),
  updated_at: instant,
})
export type FormationBody = Static<typeof formationBody>

export const dynoParams = appParamsWith({ dyno: Type.String({ description: 'Its id or name, such as web.1.' }) })
export const typeParams = appParamsWith({ type: Type.String({ description: 'A process type, such as web.' }) })

const formationChange = {
  quantity: Type.Optional(
    Type.Union([Type.Integer(), Type.String({ maxLength: 20 })], { description: 'How many: 2, "2", "+1" or "-1".' }),
  ),
  size: Type.Optional(Type.String({ maxLength: 60 })),
  dyno_size: Type.Optional(
    Type.Union([
      Type.String({ maxLength: 60 }),
      strict({ id: ignored, name: Type.Optional(Type.String({ maxLength: 60 })) }),
    ]),
  ),
  docker_image: ignored,
}

export const changeFormationBody = strict(formationChange)
export type FormationChange = Static<typeof changeFormationBody>

export const changeFormationsBody = strict({
  updates: Type.Array(strict({ type: Type.String({ maxLength: 64 }), ...formationChange }), {
    minItems: 1,
    maxItems: 100,
  }),
})

export const createDynoHeaders = Type.Object({
  'paas-attach': Type.Optional(
    Type.String({ description: 'websocket: attach_url is to be a WebSocket and not a rendezvous.' }),
  ),
})

/** COLUMNS and LINES come as numbers from some clients. */
const environment = Type.Unsafe<Record<string, string | number | null>>({
  type: 'object',
  maxProperties: 100,
  propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$' },
  additionalProperties: { type: ['string', 'number', 'null'], maxLength: 32_768 },
})

export const createDynoBody = strict({
  command: Type.String({
    maxLength: 32_768,
    description: 'What to run: a shell command, or the name of a process type.',
  }),
  attach: Type.Optional(nullable(Type.Boolean())),
  env: Type.Optional(nullable(environment)),
  force_no_tty: Type.Optional(nullable(Type.Boolean())),
  size: Type.Optional(nullable(Type.String({ maxLength: 60 }))),
  type: Type.Optional(nullable(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$' }))),
  time_to_live: Type.Optional(
    Type.Unsafe<number | null>({
      type: ['integer', 'null'],
      minimum: 1,
      maximum: 2_147_483_647,
      description: 'Seconds.',
    }),
  ),
})

export const logSessionWish = strict({
  dyno: Type.Optional(nullable(Type.String({ maxLength: 100 }))),
  lines: Type.Optional(Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 0 })),
  source: Type.Optional(nullable(Type.String({ maxLength: 100 }))),
  tail: Type.Optional(nullable(Type.Boolean())),
  type: Type.Optional(nullable(Type.String({ maxLength: 100 }))),
  backlog: ignored,
})

export const logSessionBody = strict({
  id,
  created_at: instant,
  logplex_url: Type.String({
    description: 'The lines, as server-sent events where these are asked for; open it within five minutes.',
  }),
  updated_at: instant,
})
