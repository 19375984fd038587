/** Dynos as people name them: `web.1` is one, `web` all of a type. */

/** What to call the selection in a progress line. */
export function dynoWords(selection: string | undefined): string {
  if (selection === undefined) return 'all dynos'
  return isDynoName(selection) ? `dyno ${selection}` : `all ${selection} dynos`
}

export function isDynoName(selection: string): boolean {
  return selection.includes('.')
}
