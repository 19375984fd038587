/** Public addresses: where an app answers, where its repository is, and under which origin a caller reached the API. */
import type { Config } from '../config.js'

type AddressConfig = Pick<Config, 'domain' | 'httpPort' | 'httpsPort' | 'apiPort'>

function portSuffix(port: number, standard: number): string {
  return port === standard ? '' : `:${port}`
}

/** The host name every app has: `quiet-river-48213.localhost`. */
export function appHostname(config: Pick<Config, 'domain'>, appName: string): string {
  return `${appName}.${config.domain}`
}

/** With a slash at the end, as Heroku's. */
export function webUrl(config: AddressConfig, appName: string): string {
  return `http://${appHostname(config, appName)}${portSuffix(config.httpPort, 80)}/`
}

/** What `git remote add paas` takes. On `localhost` git talks to the API's own port, elsewhere through the router. */
export function gitUrl(config: AddressConfig, appName: string): string {
  return config.domain === 'localhost'
    ? `http://localhost:${config.apiPort}/${appName}.git`
    : `https://git.${config.domain}${portSuffix(config.httpsPort, 443)}/${appName}.git`
}

export interface Origin {
  readonly scheme: 'http' | 'https'
  /** With the port, when it isn't the scheme's own. */
  readonly host: string
}

const hostPattern = /^(?:[a-z0-9_](?:[a-z0-9._-]{0,252})|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i

/** The name that a rendezvous has at an origin's host: addresses of this machine have no certificate, `localhost` has. */
export function rendezvousHostOf(host: string): string {
  const name = host.replace(/:\d+$/, '')
  return name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name) ? 'localhost' : name
}

/** The origin a caller used, so that URLs in an answer lead back the same way; ours where its Host header is no host. */
export function originOf(request: { readonly protocol: string; readonly host: string }, config: AddressConfig): Origin {
  const scheme = request.protocol === 'https' ? 'https' : 'http'
  return hostPattern.test(request.host)
    ? { scheme, host: request.host }
    : { scheme: 'http', host: `localhost:${config.apiPort}` }
}
