// Goal: whatever a build leaves in its room, the next start clears it away or goes on without.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { roomsDir } from '../../../server/build/build-room.js'
import { sweepRooms } from '../../../server/build/docker-builder.js'
import { nestBeyondPaths } from '../../support/deep-folders.js'

type Engine = Parameters<typeof sweepRooms>[0]

function world(containers: readonly string[] = []) {
  const config = { instance: 'test', dataDir: t.testdir() }
  const left = new Set(containers)
  const warnings: string[] = []
  const ignore = () => {}
  return {
    config,
    left,
    warnings,
    room(name: string): string {
      const dir = path.join(roomsDir(config), name)
      mkdirSync(path.join(dir, 'tmp'), { recursive: true })
      return dir
    },
    rooms: () => readdirSync(roomsDir(config)),
    engine: {
      listContainers: async () => [...left].map((id) => ({ id })),
      removeContainer: async (id: string) => {
        if (id === 'stuck') throw new Error('the engine cannot remove it')
        left.delete(id)
      },
    } as unknown as Engine,
    log: {
      debug: ignore,
      info: ignore,
      error: ignore,
      warn: (fields: object) => void warnings.push(String((fields as { err: Error }).err.message)),
    },
  }
}

t.test('a room with folders nested beyond the length of paths is cleared away', async (t) => {
  const { config, engine, log, room, rooms, warnings } = world()
  nestBeyondPaths(path.join(room('deep'), 'tmp'))
  await sweepRooms(engine, config, log)
  t.same(rooms(), [])
  t.same(warnings, [])
})

t.test('what cannot be removed is logged, and the rest goes', async (t) => {
  const { config, engine, left, log, room, rooms, warnings } = world(['stuck', 'other'])
  room('a')
  const file = path.join(room('b'), 'tmp', 'fixed')
  room('c')
  writeFileSync(file, '')
  execFileSync('chattr', ['+i', file])
  try {
    await sweepRooms(engine, config, log)
  } finally {
    execFileSync('chattr', ['-i', file])
  }
  t.same(rooms(), ['b'])
  t.same([...left], ['stuck'])
  t.equal(warnings.length, 2)
  t.match(warnings[0], /the engine cannot remove it/)
  t.match(warnings[1], /b could not be removed: .*Operation not permitted/s)
})
