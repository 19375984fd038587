import Type, { type Static } from 'typebox'
import {
  alwaysNull,
  appParamsWith,
  id,
  idAndEmail,
  idAndName,
  idOnly,
  ignored,
  instant,
  mapOf,
  nullable,
  nullableString,
  strict,
  words,
} from './common.js'

export const releaseBody = strict({
  id,
  version: Type.Integer(),
  app: idAndName,
  addon_plan_names: Type.Array(Type.String()),
  artifacts: Type.Array(strict({})),
  created_at: instant,
  current: Type.Boolean({ description: 'The newest release that succeeded.' }),
  description: Type.String(),
  eligible_for_rollback: Type.Boolean(),
  failure: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'Why it failed.' }),
  output_stream_url: Type.Unsafe<string | null>({
    type: ['string', 'null'],
    description: 'Output of its release command as plain text, live while it runs; needs no token.',
  }),
  slug: nullable(idOnly),
  status: words('pending', 'succeeded', 'failed'),
  updated_at: instant,
  user: idAndEmail,
})
export type ReleaseBody = Static<typeof releaseBody>

export const releaseParams = appParamsWith({
  release: Type.String({ description: 'Its id or version, such as 12 or v12.' }),
})

export const rollbackBody = strict({
  release: Type.Union([Type.String({ maxLength: 64 }), Type.Integer({ minimum: 1, maximum: 2_147_483_647 })], {
    description: 'Id or version of the release to roll back to.',
  }),
  description: ignored,
})

export const slugBody = strict({
  id,
  blob: strict({ method: Type.String(), url: Type.String({ description: 'Empty: slugs are not handed out.' }) }),
  buildpack_provided_description: nullableString,
  checksum: Type.String({ description: "The image's digest." }),
  commit: nullableString,
  commit_description: nullableString,
  created_at: instant,
  process_types: mapOf(Type.String()),
  size: Type.Integer({ description: 'Bytes.' }),
  stack: idAndName,
  updated_at: instant,
})
export type SlugBody = Static<typeof slugBody>

export const slugParams = appParamsWith({ slug: Type.String({ description: 'Its id.' }) })

export const configVarsBody = mapOf(Type.String())

/** Names are judged one by one, where the sentence can say what is wrong with which. */
export const configVarsChangeBody = mapOf(Type.Unsafe<string | null>({ type: ['string', 'null'] }), {
  maxProperties: 1000,
})

export const buildBody = strict({
  id,
  app: idOnly,
  buildpacks: nullable(Type.Array(strict({ name: Type.String(), url: Type.String() }))),
  created_at: instant,
  failure: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'Why it failed.' }),
  output_stream_url: Type.String({ description: 'Its output as plain text, live while it runs; needs no token.' }),
  release: nullable(idOnly),
  slug: nullable(idOnly),
  source_blob: strict({
    checksum: alwaysNull,
    url: Type.String({ description: 'Empty: the source came by git.' }),
    version: nullableString,
    version_description: nullableString,
  }),
  stack: Type.String(),
  status: words('pending', 'succeeded', 'failed'),
  updated_at: instant,
  user: idAndEmail,
})
export type BuildBody = Static<typeof buildBody>

export const buildParams = appParamsWith({ build: Type.String({ description: 'Its id.' }) })

export const buildResultBody = strict({
  build: strict({ id, status: words('pending', 'succeeded', 'failed'), output_stream_url: Type.String() }),
  exit_code: Type.Unsafe<number | null>({ type: ['integer', 'null'], description: 'Null while it is pending.' }),
  lines: Type.Array(strict({ stream: words('STDOUT', 'STDERR'), line: Type.String() })),
})

export const buildpackInstallationBody = strict({
  ordinal: Type.Integer(),
  buildpack: strict({ url: Type.String(), name: Type.String() }),
})

export const setBuildpacksBody = strict({
  updates: Type.Array(
    strict({
      buildpack: Type.Union([
        Type.String({ maxLength: 600 }),
        strict({
          url: Type.Optional(Type.String({ maxLength: 600 })),
          name: Type.Optional(Type.String({ maxLength: 600 })),
        }),
      ]),
    }),
    { maxItems: 100 },
  ),
})
