/** Reads /proc/net/tcp and tcp6: who listens where. Pure. */

export interface Listener {
  readonly port: number
  readonly loopbackOnly: boolean
}

const listening = '0A'
/** The engine's own resolver answers here in every container on a network of ours. */
const engineResolver = /^0B00007F$/

export function parseListeners(text: string): Listener[] {
  return text.split('\n').flatMap((line): Listener[] => {
    const match = /^\s*\d+:\s+([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})\s+\S+\s+([0-9A-F]{2})\s/.exec(line)
    if (!match?.[1] || !match[2] || match[3] !== listening || engineResolver.test(match[1])) return []
    return [{ port: Number.parseInt(match[2], 16), loopbackOnly: isLoopback(match[1]) }]
  })
}

/** Addresses are little-endian words: 0100007F is 127.0.0.1. */
function isLoopback(hex: string): boolean {
  if (hex.length === 8) return hex.endsWith('7F')
  return hex === '00000000000000000000000001000000' || /^0{16}FFFF0000[0-9A-F]{6}7F$/.test(hex)
}
