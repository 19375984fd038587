/** The line in which `limit-output`, beside a dyno's process (docker/stack/run), says how many lines it left out. */

const pattern = /^paas: (\d{1,15}) lines left out here, printed too fast$/

/**
 * How many lines were left out where this one is printed, undefined for a line that says nothing of the kind. An app that
 * prints such a line itself claims something about its own log, no more.
 */
export function linesLeftOut(text: string): number | undefined {
  const found = pattern.exec(text)
  return found ? Number(found[1]) : undefined
}
