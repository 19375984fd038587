/** One-use tickets to a one-off dyno's terminal. A ticket that nobody uses in time calls `onUnused`, once. */
import { randomBytes } from 'node:crypto'

export interface AttachTickets<Content> {
  issue(content: Content): string
  /** The content, the first time and in time; undefined otherwise. */
  claim(secret: string): Content | undefined
  /** Forgets all without calling anybody. */
  clear(): void
}

export function createAttachTickets<Content>(
  validMs: number,
  onUnused: (content: Content) => void,
): AttachTickets<Content> {
  const open = new Map<string, { readonly content: Content; readonly timer: NodeJS.Timeout }>()
  return {
    issue(content) {
      const secret = randomBytes(32).toString('base64url')
      const timer = setTimeout(() => {
        open.delete(secret)
        onUnused(content)
      }, validMs)
      timer.unref()
      open.set(secret, { content, timer })
      return secret
    },
    claim(secret) {
      const ticket = open.get(secret)
      if (!ticket) return undefined
      clearTimeout(ticket.timer)
      open.delete(secret)
      return ticket.content
    },
    clear() {
      for (const { timer } of open.values()) clearTimeout(timer)
      open.clear()
    },
  }
}
