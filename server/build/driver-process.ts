/**
 * The build driver as a process of a room. It is started with its room and waits for input, so that a push pays for no
 * start; what only the build knows comes in on its standard input.
 */
import type { Config } from '../config.js'
import type { Engine, ExecSession } from '../engine/engine.js'
import { dynoUid, userOf } from '../model/dyno-user.js'
import type { BuildRequest } from './builder.js'

/** What apps and buildpacks are told that the stack is. */
export const stackName = 'paas-13'

const command = ['/opt/paas/build-driver/build']

/** Resolves when the driver runs and waits; it ends with its room. Throws `EngineError`. */
export function startDriver(engine: Engine, network: Config['network'], container: string): Promise<ExecSession> {
  return engine.exec(container, {
    command,
    user: userOf(dynoUid),
    workingDir: '/tmp',
    stdin: true,
    env: {
      ...networkEnvironment(network),
      STACK: 'heroku-24',
      PAAS_STACK: stackName,
      HOME: '/app',
      LANG: 'C.UTF-8',
      CURL_CONNECT_TIMEOUT: '30',
      CURL_TIMEOUT: '600',
    },
  })
}

/** What the driver adds to its environment before it does anything of the app's. */
export function driverSettings(request: BuildRequest, stackId: string): Readonly<Record<string, string>> {
  return {
    PAAS_STACK_ID: stackId,
    REQUEST_ID: request.buildId,
    BUILD_ID: request.buildId,
    SOURCE_VERSION: request.source.commit,
    SOURCE_DESCRIPTION: request.source.description.slice(0, 200),
    PAAS_BUILDPACKS: request.buildpacks.join(' '),
    PAAS_APP: request.app.name,
  }
}

/** What a build's processes learn about this machine's network: CA bundle, proxy and registry mirrors. */
function networkEnvironment(network: Config['network']): Record<string, string> {
  const env: Record<string, string> = { PAAS_RUNTIME_PROVIDERS: network.runtimeProviders.join(',') }
  if (network.caBundle)
    for (const name of [
      'SSL_CERT_FILE',
      'PIP_CERT',
      'REQUESTS_CA_BUNDLE',
      'CURL_CA_BUNDLE',
      'NODE_EXTRA_CA_CERTS',
      'GIT_SSL_CAINFO',
      'CARGO_HTTP_CAINFO',
    ])
      env[name] = '/opt/paas-ca-bundle.pem'
  if (network.httpProxy)
    for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy']) env[name] = network.httpProxy
  if (network.noProxy) for (const name of ['NO_PROXY', 'no_proxy']) env[name] = network.noProxy
  if (network.npmRegistry) env.npm_config_registry = network.npmRegistry
  if (network.pypiIndex) for (const name of ['UV_INDEX_URL', 'PIP_INDEX_URL']) env[name] = network.pypiIndex
  if (network.goProxy) env.GOPROXY = network.goProxy
  return env
}
