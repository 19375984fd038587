/** A running container of a built app, and what tests ask of it. */
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import Docker from 'dockerode'

const docker = new Docker()

/** A container of a built app. */
export class Dyno {
  constructor(private readonly container: Docker.Container) {}

  async logs(): Promise<string> {
    const text = await this.container.logs({ stdout: true, stderr: true })
    return demux(Readable.from([text])).then(({ stdout, stderr }) => `${stdout}${stderr}`)
  }

  /** Waits until the dyno answers on its port and returns the response; throws with its log after 20 seconds. */
  async get(target = '/', init: RequestInit = {}): Promise<Response> {
    const deadline = Date.now() + 20_000
    const address = await this.address()
    for (;;) {
      try {
        return await fetch(`http://${address}:5000${target}`, { redirect: 'manual', ...init })
      } catch (error) {
        const { State } = await this.container.inspect()
        if (Date.now() > deadline || !State.Running)
          throw new Error(`the dyno does not answer:\n${await this.logs()}`, { cause: error })
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }

  async address(): Promise<string> {
    const { NetworkSettings } = await this.container.inspect()
    return NetworkSettings.Networks.bridge?.IPAddress ?? ''
  }

  async signal(signal: string): Promise<void> {
    await this.container.kill({ signal })
  }

  /** Runs a command beside the app's process and returns what it prints. */
  async exec(command: readonly string[]): Promise<string> {
    const exec = await this.container.exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true })
    const { stdout, stderr } = await demux(await exec.start({}))
    return `${stdout}${stderr}`
  }

  /** Waits for the process to end and returns its exit code. */
  async ended(): Promise<number> {
    return (await this.container.wait()).StatusCode
  }
}

/** Collects both outputs of a container's stream until it ends. */
export async function demux(stream: NodeJS.ReadableStream): Promise<{ stdout: Buffer; stderr: Buffer }> {
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  const ended = new Promise<void>((resolve, reject) => {
    stream.once('end', resolve)
    stream.once('close', resolve)
    stream.once('error', reject)
  }).finally(() => {
    stdout.end()
    stderr.end()
  })
  docker.modem.demuxStream(stream, stdout, stderr)
  const [out, err] = await Promise.all([buffer(stdout), buffer(stderr), ended])
  return { stdout: out, stderr: err }
}
