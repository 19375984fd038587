/** What a build or a release command printed, shown as it comes. */
import type { ApiClient } from './api-client.js'
import { CliError } from './errors.js'
import { print } from './output.js'

/** Prints the output line by line until it ends. */
export async function printOutputStream(api: ApiClient, address: string): Promise<void> {
  const stream = await api.openStream(address, { accept: 'text/plain', mayBeSilent: true })
  let pending = ''
  try {
    for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
      const lines = (pending + chunk).split('\n')
      pending = lines.pop() ?? ''
      for (const line of lines) print(line)
    }
  } catch (error) {
    throw new CliError(`The output broke off: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (pending !== '') print(pending)
}
