/**
 * Named points where a test can have the control plane die as if by SIGKILL. They stand before and after each step of
 * every path; the list is read from the code by `failpoint('…')` calls, so each name is written out there.
 */
let armed = ''

/** Arms one failpoint for the life of the process; empty disarms. */
export function armFailpoint(name: string): void {
  armed = name
}

/** Ends the process at once when armed with this name. */
export function failpoint(name: string): void {
  if (armed === name && armed !== '') process.kill(process.pid, 'SIGKILL')
}
