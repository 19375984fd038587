import type { Engine } from '../engine/engine.js'

/** The last lines a container wrote, as the engine kept them. */
export async function recentOutput(engine: Engine, containerId: string, lines: number): Promise<string[]> {
  const out: string[] = []
  try {
    await engine.followLogs(containerId, { tail: lines }, (line) => out.push(line.text))
  } catch {
    // A container that is gone has nothing more to tell.
  }
  return out
}
