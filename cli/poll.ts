/** Asking until something is so. */
import { CliError } from './errors.js'

const intervalMs = 1000
const deadlineMs = 15 * 60_000

/** Asks about once a second until the answer satisfies `isDone`; throws after 15 minutes. */
export async function pollUntil<T>(ask: () => Promise<T>, isDone: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    const answer = await ask()
    if (isDone(answer)) return answer
    if (Date.now() > deadline) throw new CliError('It takes longer than 15 minutes; it goes on without this command.')
    await new Promise((resolve) => setTimeout(resolve, intervalMs))
  }
}
