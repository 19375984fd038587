// Goal: docs/openapi.json is the document that GET /openapi.json answers.
// Method: the API is built and never asked, so what stands behind it need not be there.
import t from 'tap'
import { buildApi } from '../../server/api/app.js'
import type { ApiDeps } from '../../server/api/deps.js'
import { openapiDocument } from '../../server/api/openapi.js'
import { loadConfig } from '../../server/config.js'
import { checkGenerated } from './checkout.js'

t.test('the OpenAPI document is the one that the routes make', async (t) => {
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const api = await buildApi({ platform: { config: loadConfig({}), log } } as unknown as ApiDeps)
  t.teardown(() => api.close())
  await api.ready()
  const text = `${JSON.stringify(openapiDocument(api), null, 1)}\n`
  checkGenerated(t, 'docs/openapi.json', text, 'test/docs/openapi.test.js')
})
