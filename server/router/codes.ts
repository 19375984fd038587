/** The codes a request can end with: Heroku's words, one meaning each. `docs/errors.md` has a line for every one. */

export type RouterCode =
  | 'H10'
  | 'H12'
  | 'H13'
  | 'H14'
  | 'H15'
  | 'H17'
  | 'H18'
  | 'H19'
  | 'H20'
  | 'H21'
  | 'H27'
  | 'H28'
  | 'H31'
  | 'H80'
  | 'H99'

export interface CodeMeaning {
  readonly desc: string
  /** What the log says; the client got it too unless the response had begun or the client had left. */
  readonly status: number
  readonly at: 'error' | 'warning' | 'info'
  /** Whose socket ended the request, where Heroku's line says so. */
  readonly sock?: 'client' | 'backend'
}

export const routerCodes: Readonly<Record<RouterCode, CodeMeaning>> = {
  H10: { desc: 'App crashed', status: 503, at: 'error' },
  H12: { desc: 'Request timeout', status: 503, at: 'error' },
  H13: { desc: 'Connection closed without response', status: 503, at: 'error' },
  H14: { desc: 'No web processes running', status: 503, at: 'error' },
  H15: { desc: 'Idle connection', status: 503, at: 'error' },
  H17: { desc: 'Poorly formatted HTTP response', status: 503, at: 'error' },
  H18: { desc: 'Server Request Interrupted', status: 503, at: 'error', sock: 'backend' },
  H19: { desc: 'Backend connection timeout', status: 503, at: 'error' },
  H20: { desc: 'App boot timeout', status: 503, at: 'error' },
  H21: { desc: 'Backend connection refused', status: 503, at: 'error' },
  H27: { desc: 'Client Request Interrupted', status: 499, at: 'warning', sock: 'client' },
  H28: { desc: 'Client Connection Idle', status: 499, at: 'warning', sock: 'client' },
  H31: { desc: 'Misdirected Request', status: 421, at: 'warning' },
  H80: { desc: 'Maintenance mode', status: 503, at: 'info' },
  H99: { desc: 'Platform error', status: 503, at: 'error' },
}

export function isRouterCode(text: string): text is RouterCode {
  return Object.hasOwn(routerCodes, text)
}

/**
 * HAProxy's termination state (who ended the stream, and when) → code, as far as the state alone decides. Used by the
 * error page while the request is answered and by the access log afterwards.
 */
export const codeOfTermination: Readonly<Record<string, RouterCode>> = {
  SC: 'H21',
  sC: 'H19',
  sQ: 'H19',
  sH: 'H12',
  SH: 'H13',
  PH: 'H17',
  SD: 'H18',
  SL: 'H18',
  sD: 'H15',
  sL: 'H15',
  CR: 'H27',
  CQ: 'H27',
  CC: 'H27',
  CH: 'H27',
  CD: 'H27',
  CL: 'H27',
  cR: 'H28',
  cC: 'H28',
  cH: 'H28',
  cD: 'H28',
  cL: 'H28',
}

/** What an ended request tells about itself. */
export interface Ending {
  /** Set by the configuration where the app's state decides. */
  readonly code: string
  readonly termination: string
  readonly status: number
  readonly hasServer: boolean
  /** Time spent in the response's body. */
  readonly dataMs: number
}

/** The code of an ended request; undefined when nothing went wrong on the platform's side or the app's. */
export function codeOf(ending: Ending, idleTimeoutMs: number): RouterCode | undefined {
  if (isRouterCode(ending.code)) return ending.code
  const termination = ending.termination.slice(0, 2)
  if (termination === 'SC' && !ending.hasServer) return 'H10'
  if (termination === 'cD' && ending.status === 101) return 'H15'
  if (termination === 'CD' && ranIdle(ending.dataMs, idleTimeoutMs)) return 'H15'
  const code = codeOfTermination[termination]
  if (code !== undefined) return code
  return /^[RIDKU]|^P[QC]/.test(termination) ? 'H99' : undefined
}

/**
 * HAProxy reports a body that stalled like one whose client left. A response whose data phase lasted the idle time,
 * almost to the millisecond, is taken for stalled; one that stalled later is logged as H27.
 */
function ranIdle(dataMs: number, idleTimeoutMs: number): boolean {
  return dataMs >= idleTimeoutMs && dataMs < idleTimeoutMs + Math.max(250, idleTimeoutMs / 50)
}
