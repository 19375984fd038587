/**
 * A host on the Docker bridge that serves a folder over https with a certificate of its own: where tests fetch
 * buildpacks from. It can redirect too, as real hosts do.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { generate } from 'selfsigned'
import { createDockerEngine } from '../../server/engine/docker-engine.js'

export interface HttpsHost {
  readonly origin: string
  readonly address: string
  /** Environment and mounts for a build that may fetch from this host. */
  readonly options: { env: Record<string, string>; mounts: Record<string, string> }
  readonly redirects: Map<string, string>
  close(): Promise<void>
}

/** The host's address on the engine's default bridge; the interface itself looks down while no container is on it. */
async function bridgeAddress(): Promise<string> {
  const engine = createDockerEngine({ socketPath: process.env.PAAS_ENGINE_SOCKET ?? '/var/run/docker.sock' })
  const subnet = (await engine.findNetwork('bridge'))?.subnet ?? ''
  const match = /^(\d+\.\d+\.\d+)\.0\/\d+$/.exec(subnet)
  if (!match) throw new Error(`the engine's default bridge has no usable subnet: '${subnet}'`)
  return `${match[1]}.1`
}

export async function startHttpsHost(folder: string): Promise<HttpsHost> {
  const address = await bridgeAddress()
  const pems = await generate([{ name: 'commonName', value: address }], {
    keySize: 2048,
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: address }] },
    ],
  })
  const redirects = new Map<string, string>()
  const server: Server = createServer({ key: pems.private, cert: pems.cert }, (request, response) => {
    const { pathname, search } = new URL(request.url ?? '/', `https://${address}`)
    const target = [...redirects].find(([from]) => pathname.startsWith(from))
    if (target !== undefined) {
      response.writeHead(302, { location: pathname.replace(target[0], target[1]) + search }).end()
      return
    }
    try {
      response.end(readFileSync(path.join(folder, path.normalize(pathname))))
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  const certificate = path.join(folder, 'ca.pem')
  writeFileSync(certificate, pems.cert)
  const inside = '/etc/ssl/test-ca.pem'
  return {
    origin: `https://${address}:${(server.address() as AddressInfo).port}`,
    address,
    options: {
      env: { PAAS_BUILDPACK_HOSTS: address, CURL_CA_BUNDLE: inside, GIT_SSL_CAINFO: inside },
      mounts: { [inside]: certificate },
    },
    redirects,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
