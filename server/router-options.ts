/** The router's options as the settings have them; set-up and control plane must agree on them. */
import path from 'node:path'
import type { Config } from './config.js'
import type { RouterOptions } from './router/options.js'

export function routerOptions(config: Config): RouterOptions {
  return {
    dir: path.join(config.dataDir, 'router'),
    caDir: path.join(config.dataDir, 'ca'),
    instance: config.instance,
    domain: config.domain,
    bind: config.routerBind,
    httpPort: config.httpPort,
    httpsPort: config.httpsPort,
    apiPort: config.apiPort,
    logLinesPerSecond: config.logs.linesPerSecond,
    ...config.router,
  }
}
