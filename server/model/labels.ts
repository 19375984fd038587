/** Labels that the platform puts on everything it makes in the engine; they are the record of what runs. */
export const labelNames = {
  instance: 'paas.instance',
  /** dyno · one-off · release · sandbox · build · add-on · network · router · database · control-plane */
  kind: 'paas.kind',
  app: 'paas.app',
  release: 'paas.release',
  /** Of a sandbox: the build it is ready for. */
  build: 'paas.build',
  /** Of a release command that has its network from a sandbox: which container that is. */
  sandbox: 'paas.sandbox',
  version: 'paas.version',
  type: 'paas.type',
  dyno: 'paas.dyno',
  /** Which restart request this dyno answers: `0`, or its time in milliseconds. */
  generation: 'paas.generation',
  attempt: 'paas.attempt',
  /** `yes`: its command waits until it is let go. */
  held: 'paas.held',
  size: 'paas.size',
  address: 'paas.address',
  port: 'paas.port',
  oneOff: 'paas.one-off',
  addOn: 'paas.add-on',
} as const
